import type { StateCreator } from 'zustand';

/** Which methods are held against each other, and over what. */
export interface MethodsSlice {
  /** Names without what follows them. */
  readonly sideMethods: readonly string[];
  readonly sideRepair: '' | '+bias' | '+least-squares';
  readonly sideTraining: '' | '+lora' | '+group-wise';
  /** Shares in percent and seeds, as typed: '20, 50'. */
  readonly sideRatios: string;
  readonly sideSeeds: string;
  setSide(patch: Partial<Omit<MethodsSlice, 'setSide'>>): void;
}

export const createMethodsSlice: StateCreator<MethodsSlice> = (set) => ({
  sideMethods: ['saap', 'wanda', 'random'],
  sideRepair: '',
  sideTraining: '',
  sideRatios: '20, 50',
  sideSeeds: '0',
  setSide: (patch) => set(patch),
});

/** Numbers of a list as typed, within bounds; undefined where it holds anything else, or nothing. */
export function numbersOf(text: string, isAllowed: (value: number) => boolean): readonly number[] | undefined {
  const numbers = text
    .split(/[\s,;]+/)
    .filter((word) => word !== '')
    .map(Number);
  return numbers.length > 0 && numbers.every(isAllowed) ? [...new Set(numbers)] : undefined;
}
