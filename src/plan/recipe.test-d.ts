import { expectTypeOf } from 'vitest';
import type { Recipe, RecipeChoices, Target } from './recipe.ts';

/** What the table of fields must amount to. */
expectTypeOf<Recipe>().branded.toEqualTypeOf<{
  readonly model: { readonly name: string; readonly revision?: string; readonly sha256?: string };
  readonly calibration?: {
    readonly source: string;
    readonly sha256: string;
    readonly windows: number;
    readonly length: number;
    readonly seed: number;
  };
  readonly metric: string;
  readonly fusionScope?: 'model' | 'module' | 'layer';
  readonly fusion?: 'shared' | 'geometric';
  readonly search: string;
  readonly target: Target;
  readonly gamma?: number;
  readonly stability?: number;
  readonly balance?: { readonly attention?: number; readonly depth?: number };
  readonly minimumAttentionGroups?: number;
  readonly minimumNeurons?: number;
  readonly protect?: readonly number[];
  readonly compensate?: 'none' | 'bias' | 'least-squares';
  readonly dtype?: 'f32' | 'f16' | 'q8' | 'q4';
  readonly roundTo?: number;
  readonly shape?: 'free' | 'uniform' | 'standard';
  readonly experts?: 'neurons' | 'whole';
  readonly vocabulary?: string;
  readonly seed: number;
  readonly asked?: string;
  readonly measured?: { readonly loss: number; readonly evaluations: number; readonly of?: 'kl' | 'perplexity' };
  readonly passes?: number;
}>();

expectTypeOf<{ readonly target: Target }>().toExtend<RecipeChoices>();
expectTypeOf<RecipeChoices>().not.toHaveProperty('model');
