import type { Theme } from './heat-scale.ts';

/** Colours that a canvas needs by value; the same as the custom properties of styles/tokens.css. */
export interface Palette {
  readonly surface: string;
  readonly cut: string;
  readonly cutWash: string;
}

export const PALETTES: Record<Theme, Palette> = {
  light: { surface: '#ffffff', cut: '#b23c17', cutWash: '#f8e3d9' },
  dark: { surface: '#171c1f', cut: '#ff9466', cutWash: '#3a2118' },
};
