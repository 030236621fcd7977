import { UnsupportedError } from '../errors.ts';
import type { GraphBuilder } from '../onnx/builder.ts';

/** What attention needs to know about the sequence, once per graph. */
export interface SequenceLengths {
  /** int32 [batch]: tokens of each sequence, the new ones included, minus one. */
  readonly lastPosition: string;
  /** int32 []: length of the attention mask. */
  readonly total: string;
  /** int64 [batch, sequence]: positions of the new tokens. Made on demand. */
  positions(): string;
  /** bool [batch, 1, sequence, past + sequence]: which positions a new token sees, through a window of so many where one is given. Made on demand, from any layer's present keys. */
  visible(presentKey: string, window: number | undefined): string;
}

const INT32 = 6;

/** The lengths of one new token as inputs of the graph, so that nothing has to be computed from the mask: `last_position` int32 [1], `total_sequence_length` int32 []. */
export function givenLengths(builder: GraphBuilder): SequenceLengths {
  const refuse = () => {
    throw new UnsupportedError(
      'A decoder of single tokens needs attention that rotates by itself; use the decoder of sequences.',
    );
  };
  return {
    lastPosition: builder.input('last_position', 'int32', [1]),
    total: builder.input('total_sequence_length', 'int32', []),
    positions: refuse,
    visible: refuse,
  };
}

/** Adds what follows from the attention mask [batch, past + sequence]. */
export function sequenceLengths(builder: GraphBuilder, inputIds: string, attentionMask: string): SequenceLengths {
  const scalar = (value: number) => builder.constant([value], [], 'int64');
  const sizeOf = (value: string, axis: number) =>
    builder.add('Gather', [builder.add('Shape', [value]), scalar(axis)], { axis: 0 });
  const range = (end: string) => builder.add('Range', [scalar(0), end, scalar(1)]);
  const count = builder.add('ReduceSum', [attentionMask, builder.integers([1])], { keepdims: 1 });
  const last = builder.add('Squeeze', [builder.add('Sub', [count, builder.integers([1])]), builder.integers([1])]);

  const made = new Map<string, string>();
  const once = (key: string, make: () => string) => {
    const value = made.get(key) ?? make();
    made.set(key, value);
    return value;
  };
  const positions = () =>
    once('positions', () => {
      const sequence = sizeOf(inputIds, 1);
      return builder.add('Max', [
        builder.add('Add', [builder.add('Sub', [count, sequence]), range(sequence)]),
        scalar(0),
      ]);
    });
  const visible = (presentKey: string, window: number | undefined) =>
    once(`visible ${window}`, () => {
      const keys = once('keys', () => range(sizeOf(presentKey, 2)));
      const queries = once('queries', () => builder.add('Unsqueeze', [positions(), builder.integers([1, 3])]));
      const past = builder.add('LessOrEqual', [keys, queries]);
      if (window === undefined) return past;
      const near = builder.add('Greater', [keys, builder.add('Sub', [queries, scalar(window)])]);
      return builder.add('And', [past, near]);
    });
  return {
    lastPosition: builder.add('Cast', [last], { to: INT32 }),
    total: builder.add('Cast', [sizeOf(attentionMask, 1)], { to: INT32 }),
    positions,
    visible,
  };
}
