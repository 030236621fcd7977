import { halfToFloat } from '../checkpoint/half.ts';
import { MismatchError } from '../errors.ts';
import type { DeviceTensor, Runtime, Session } from '../runtime/runtime.ts';
import type { KeyValueCache } from './cache.ts';

/** What a run of a decoder needs beside its tokens. */
export interface RunningDecoder {
  readonly runtime: Runtime;
  readonly session: Session;
  readonly cache: KeyValueCache;
}

/**
 * One run: new tokens [sequences][tokens], as many of each sequence, after `past` tokens that the cache has of each; the cache goes on by them. Returns the device's
 * logits [sequences, kept, vocabulary] of the last `keep` positions (decoders of other makers: of all).
 */
export async function runDecoder(
  { runtime, session, cache }: RunningDecoder,
  tokenIds: readonly (readonly number[])[],
  past: number,
  keep: number,
): Promise<DeviceTensor> {
  const made: Record<string, DeviceTensor> = {};
  for (const { name } of session.inputs) {
    const values = inputValues(name, tokenIds, past, keep);
    if (values) made[name] = runtime.upload({ dataType: 'int64', shape: values.shape, data: values.data });
  }
  try {
    const outputs = await session.run({ ...made, ...cache.feeds() }, { into: cache.targets() });
    cache.advance(outputs);
    return outputs.logits as DeviceTensor;
  } finally {
    for (const tensor of Object.values(made)) tensor.dispose();
  }
}

/** The numbers of a decoder's logits. Throws MismatchError where they are no floats. */
export async function readLogits(
  { runtime, label }: { readonly runtime: Runtime; readonly label: string },
  logits: DeviceTensor,
): Promise<{ readonly data: Float32Array; readonly vocabulary: number }> {
  const { data, dataType, shape } = await runtime.read(logits);
  const vocabulary = shape.at(-1) ?? 0;
  if (dataType === 'float16') return { data: halfToFloat(data as Uint16Array), vocabulary };
  if (!(data instanceof Float32Array))
    throw new MismatchError(`${label}: the logits are ${dataType}; they must be float32 or float16.`);
  return { data, vocabulary };
}

/** The integer inputs of decoders that transformers.js feeds, and what it feeds them. Undefined for caches. */
function inputValues(name: string, tokenIds: readonly (readonly number[])[], past: number, keep: number) {
  const sequences = tokenIds.length;
  const count = tokenIds[0]?.length ?? 0;
  switch (name) {
    case 'input_ids':
      return { shape: [sequences, count], data: BigInt64Array.from(tokenIds.flat(), BigInt) };
    case 'attention_mask':
      return { shape: [sequences, past + count], data: new BigInt64Array(sequences * (past + count)).fill(1n) };
    case 'position_ids':
      return {
        shape: [sequences, count],
        data: BigInt64Array.from({ length: sequences * count }, (_, index) => BigInt(past + (index % count))),
      };
    case 'num_logits_to_keep':
      return { shape: [], data: BigInt64Array.of(BigInt(keep)) };
    default:
      return undefined;
  }
}
