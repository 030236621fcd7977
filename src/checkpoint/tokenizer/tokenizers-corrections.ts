/** Where @huggingface/tokenizers 0.2.0 differs from the Python package. The tokenizer tests hold both together; drop what a later version mends. */

import { ByteFallbackDecoder } from '@huggingface/tokenizers';
import { isRecord } from '../files/json.ts';

/** Its Digits step knows the ten ASCII digits; the Python package takes every numeric character, as this equivalent step does. */
export function knowAllDigits(step: unknown): unknown {
  if (!isRecord(step)) return step;
  if (Array.isArray(step.pretokenizers))
    return { ...step, pretokenizers: (step.pretokenizers as unknown[]).map(knowAllDigits) };
  if (step.type !== 'Digits') return step;
  return {
    type: 'Split',
    pattern: { Regex: step.individual_digits === true ? '\\p{N}' : '\\p{N}+' },
    behavior: 'Isolated',
    invert: false,
  };
}

/** Its decoder of byte tokens swallows U+FEFF. */
export function keepByteOrderMarks(decoder: unknown): void {
  if (decoder instanceof ByteFallbackDecoder)
    Object.assign(decoder, { text_decoder: new TextDecoder('utf-8', { ignoreBOM: true }) });
  // The library's parts are functions with properties.
  const inner = typeof decoder === 'function' && 'decoders' in decoder ? decoder.decoders : undefined;
  if (Array.isArray(inner)) for (const each of inner as unknown[]) keepByteOrderMarks(each);
}
