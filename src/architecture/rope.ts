import { UnsupportedError } from '../errors.ts';

/** Rope scaling as config.json has it (`rope_scaling`, or `rope_parameters` of newer files), checked. */
export type RopeScaling =
  | { readonly kind: 'none' }
  | { readonly kind: 'linear'; readonly factor: number }
  | {
      readonly kind: 'llama3';
      readonly factor: number;
      readonly lowFrequencyFactor: number;
      readonly highFrequencyFactor: number;
      readonly originalPositions: number;
    };

/** Parses `rope_scaling`. Throws UnsupportedError naming the type and the supported ones. */
export function parseRopeScaling(value: unknown): RopeScaling {
  if (value === null || value === undefined) return { kind: 'none' };
  const fields = value as Record<string, unknown>;
  const kind = fields.rope_type ?? fields.type ?? 'default';
  if (kind === 'default') return { kind: 'none' };
  const number = (key: string) => {
    const found = fields[key];
    if (typeof found === 'number' && Number.isFinite(found) && found > 0) return found;
    throw new UnsupportedError(
      `config.json: rope_scaling.${key} is ${JSON.stringify(found)}; scaling of type ${JSON.stringify(kind)} needs a positive number there.`,
    );
  };
  if (kind === 'linear') return { kind, factor: number('factor') };
  if (kind === 'llama3') {
    return {
      kind,
      factor: number('factor'),
      lowFrequencyFactor: number('low_freq_factor'),
      highFrequencyFactor: number('high_freq_factor'),
      originalPositions: number('original_max_position_embeddings'),
    };
  }
  throw new UnsupportedError(`config.json: rope_scaling of type ${JSON.stringify(kind)} is not supported; supported are "default", "linear" and "llama3".`);
}

/** Inverse frequencies [rotaryDimension / 2] in radians per position, after scaling (transformers' modeling_rope_utils definitions). */
export function inverseFrequencies(rotaryDimension: number, theta: number, scaling: RopeScaling): Float64Array {
  const frequencies = Float64Array.from({ length: rotaryDimension / 2 }, (_, index) => theta ** ((-2 * index) / rotaryDimension));
  if (scaling.kind === 'none') return frequencies;
  if (scaling.kind === 'linear') return frequencies.map((frequency) => frequency / scaling.factor);
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
export function rotaryTables(frequencies: Float64Array, tokens: number, start = 0): { cosine: Float32Array; sine: Float32Array } {
  const half = frequencies.length;
  const cosine = new Float32Array(tokens * half);
  const sine = new Float32Array(tokens * half);
  for (let token = 0; token < tokens; token++) {
    for (let index = 0; index < half; index++) {
      const angle = (start + token) * (frequencies[index] as number);
      cosine[token * half + index] = Math.cos(angle);
      sine[token * half + index] = Math.sin(angle);
    }
  }
  return { cosine, sine };
}
