import { UsageError } from '../errors.ts';
import type { LayerPositions } from './architecture.ts';
import type { ConfigFields } from './config-fields.ts';
import { readYarn, type Yarn, yarnFrequencies } from './yarn.ts';

/** How rotary frequencies are stretched for long contexts, checked (transformers' modeling_rope_utils definitions). */
export type RopeScaling =
  | { readonly kind: 'none' }
  | { readonly kind: 'linear'; readonly factor: number }
  | {
      readonly kind: 'llama3';
      readonly factor: number;
      readonly lowFrequencyFactor: number;
      readonly highFrequencyFactor: number;
      readonly originalPositions: number;
    }
  /** LongRoPE (arXiv 2402.13753), Phi-3's "su": its factors for sequences up to the original length; the long ones are not used. */
  | {
      readonly kind: 'longrope';
      readonly factors: readonly number[];
      readonly magnitude: number;
      readonly originalPositions: number;
    }
  | Yarn;

/** 'dynamic' changes frequencies only beyond `max_position_embeddings`, where nothing is computed. */
const KINDS = {
  default: 'none',
  dynamic: 'none',
  linear: 'linear',
  llama3: 'llama3',
  yarn: 'yarn',
  longrope: 'longrope',
  su: 'longrope',
} as const;

const LONGEST = 1 << 30;

/** What scaling needs to know of the rest of the config. */
export interface RopeContext {
  readonly rotaryDimension: number;
  readonly maximumPositions: number;
  /** `original_max_position_embeddings` where it stands beside the scaling, as in Phi-3; it wins. */
  readonly originalPositions?: number | undefined;
}

/** Reads `rope_scaling`, or `rope_parameters` of newer files. Throws UnsupportedError naming the type and the supported ones. */
export function readRopeScaling(fields: ConfigFields | undefined, context: RopeContext): RopeScaling {
  if (!fields) return { kind: 'none' };
  const kind = fields.choice(fields.has('rope_type') ? 'rope_type' : 'type', KINDS, 'default');
  if (kind === 'none' && fields.has('factor') && !fields.has('rope_type') && !fields.has('type'))
    throw fields.wrong('rope_type', 'the kind of scaling that the factor belongs to');
  if (kind === 'none') return { kind };
  if (kind === 'linear') return { kind, factor: fields.positive('factor') };
  const originalPositions =
    context.originalPositions ??
    fields.integer('original_max_position_embeddings', LONGEST, context.maximumPositions, 2);
  if (kind === 'yarn') return readYarn(fields, context.maximumPositions, originalPositions);
  if (kind === 'longrope') {
    const ratio = fields.positive('factor', context.maximumPositions / originalPositions);
    const magnitude = ratio <= 1 ? 1 : Math.sqrt(1 + Math.log(ratio) / Math.log(originalPositions));
    const factors = fields.positives('short_factor', context.rotaryDimension / 2);
    return { kind, factors, magnitude: fields.positive('attention_factor', magnitude), originalPositions };
  }
  const lowFrequencyFactor = fields.positive('low_freq_factor');
  const highFrequencyFactor = fields.positive('high_freq_factor');
  if (highFrequencyFactor <= lowFrequencyFactor)
    throw fields.wrong('high_freq_factor', `above low_freq_factor, which is ${lowFrequencyFactor}`);
  return { kind, factor: fields.positive('factor'), lowFrequencyFactor, highFrequencyFactor, originalPositions };
}

/** A rotary position embedding: pairs of channels turn by position times frequency. */
export interface Rotation {
  /** [rotaryDimension / 2] in radians per position, after scaling. */
  readonly inverseFrequencies: Float64Array;
  /** Factor on cosine and sine; 1 for all but LongRoPE and YaRN. */
  readonly magnitude: number;
}

export function rotationOf(rotaryDimension: number, theta: number, scaling: RopeScaling): Rotation {
  return {
    inverseFrequencies: inverseFrequencies(rotaryDimension, theta, scaling),
    magnitude: 'magnitude' in scaling ? scaling.magnitude : 1,
  };
}

/** The same positions where queries and keys are not turned. */
export function withoutRotation(positions: LayerPositions): LayerPositions {
  return { ...positions, inverseFrequencies: new Float64Array(positions.inverseFrequencies.length), magnitude: 1 };
}

/** Inverse frequencies [rotaryDimension / 2] in radians per position, after scaling. */
export function inverseFrequencies(rotaryDimension: number, theta: number, scaling: RopeScaling): Float64Array {
  const frequencies = Float64Array.from(
    { length: rotaryDimension / 2 },
    (_, index) => theta ** ((-2 * index) / rotaryDimension),
  );
  if (scaling.kind === 'none') return frequencies;
  if (scaling.kind === 'linear') return frequencies.map((frequency) => frequency / scaling.factor);
  if (scaling.kind === 'longrope')
    return frequencies.map((frequency, index) => frequency / (scaling.factors[index] ?? 1));
  if (scaling.kind === 'yarn') return yarnFrequencies(frequencies, theta, scaling);
  const { factor, lowFrequencyFactor, highFrequencyFactor, originalPositions } = scaling;
  return frequencies.map((frequency) => {
    const wavelength = (2 * Math.PI) / frequency;
    if (wavelength < originalPositions / highFrequencyFactor) return frequency;
    if (wavelength > originalPositions / lowFrequencyFactor) return frequency / factor;
    const smooth = (originalPositions / wavelength - lowFrequencyFactor) / (highFrequencyFactor - lowFrequencyFactor);
    return ((1 - smooth) * frequency) / factor + smooth * frequency;
  });
}

/** Cosine and sine tables [tokens, rotaryDimension / 2] of the positions start … start + tokens - 1. */
export function rotaryTables(
  frequencies: Float64Array,
  tokens: number,
  start = 0,
  magnitude = 1,
): { cosine: Float32Array; sine: Float32Array } {
  const half = frequencies.length;
  const cosine = new Float32Array(tokens * half);
  const sine = new Float32Array(tokens * half);
  for (let token = 0; token < tokens; token++) {
    for (let index = 0; index < half; index++) {
      const angle = (start + token) * (frequencies[index] as number);
      cosine[token * half + index] = magnitude * Math.cos(angle);
      sine[token * half + index] = magnitude * Math.sin(angle);
    }
  }
  return { cosine, sine };
}

/** Attention to a position out of sight is suppressed by this much; finite, so that no row can become NaN, and beyond any score in float32. */
const MASKED = -1e9;

/** Causal mask [tokens, tokens]: 0 where a query may look, else -1e9. With `window`, only at itself and the window - 1 positions before. */
export function causalMask(tokens: number, window?: number): Float32Array {
  if (window !== undefined && !(window >= 1))
    throw new UsageError(
      `An attention window is ${window}; it must be at least 1. Correct sliding_window in config.json.`,
    );
  const mask = new Float32Array(tokens * tokens).fill(MASKED);
  for (let row = 0; row < tokens; row++)
    mask.fill(0, row * tokens + Math.max(0, row + 1 - (window ?? tokens)), row * tokens + row + 1);
  return mask;
}
