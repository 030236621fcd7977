import type { StateCreator } from 'zustand';
import type { GgufType, SafetensorsType, TakeAwayFormat } from '../../../worker/engine.ts';

/** As what the pruned model is taken away. The number format of ONNX is the recipe's. */
export interface TakeAwaySlice {
  /** In the order in which they are offered. */
  readonly takeFormats: readonly TakeAwayFormat[];
  readonly ggufType: GgufType;
  readonly safetensorsType: SafetensorsType;
  toggleFormat(format: TakeAwayFormat): void;
  setTakeAway(patch: Partial<Pick<TakeAwaySlice, 'ggufType' | 'safetensorsType'>>): void;
}

/** What there is to choose from. */
export const FORMATS = ['onnx', 'safetensors', 'gguf'] as const satisfies readonly TakeAwayFormat[];
export const GGUF_TYPE_NAMES = ['F32', 'F16', 'Q8_0', 'Q4_0', 'Q4_1'] as const satisfies readonly GgufType[];
export const SAFETENSORS_TYPES = ['float32', 'float16', 'bfloat16'] as const satisfies readonly SafetensorsType[];

export const createTakeAwaySlice: StateCreator<TakeAwaySlice> = (set, get) => ({
  takeFormats: ['onnx'],
  ggufType: 'F16',
  safetensorsType: 'float16',
  toggleFormat(format) {
    const { takeFormats } = get();
    const isChosen = takeFormats.includes(format);
    set({ takeFormats: FORMATS.filter((each) => (each === format ? !isChosen : takeFormats.includes(each))) });
  },
  setTakeAway: (patch) => set(patch),
});
