import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { modelOf } from '../architecture/model.ts';
import { decoderGraph } from '../decoder/decoder-graph.ts';
import { type RandomLlamaOptions, randomLlama } from '../export/testing/random-llama.ts';
import { referenceLogits } from '../export/testing/reference-llama.ts';
import { createNodeRuntime } from '../runtime/node.ts';
import type { Runtime, Session } from '../runtime/runtime.ts';
import { CapturedStep } from './captured-step.ts';
import { Decoder } from './decoder.ts';

/** The CPU runs the same graph without recording it: what is checked here is the loop; the browser tests check the recording. */
let runtime: Runtime;
beforeAll(async () => {
  runtime = await createNodeRuntime({ threads: 1 });
});
afterAll(() => runtime.dispose());

const CAPACITY = 16;

async function open(
  options: RandomLlamaOptions,
  wrap: (session: Session) => Session = (session) => session,
): Promise<Decoder> {
  const model = modelOf(randomLlama(options));
  const { graph, weights } = decoderGraph(model);
  const single = decoderGraph(model, { singleToken: { capacity: CAPACITY } });
  expect(single.weights.byteLength).toBe(weights.byteLength);
  const data = new Uint8Array(weights.byteLength);
  let offset = 0;
  for await (const chunk of weights.chunks(model.checkpoint)) {
    data.set(chunk, offset);
    offset += chunk.byteLength;
  }
  const externalData = { [weights.location]: data };
  const session = await runtime.createSession(graph, { externalData });
  const slots = single.graph.inputs
    .filter(({ name }) => name.startsWith('past'))
    .map(({ name, dataType, shape }) => ({
      past: name,
      present: name.replace('past_key_values', 'present'),
      dataType,
      heads: Number(shape[1]),
      headDimension: Number(shape[3]),
    }));
  const step = new CapturedStep(
    runtime,
    wrap(await runtime.createSession(single.graph, { externalData })),
    slots,
    CAPACITY,
    64,
  );
  return new Decoder({ runtime, session, label: 'decoder', fixed: true, slots, step });
}

async function largestDifference(decoder: Decoder, options: RandomLlamaOptions, capacity = CAPACITY): Promise<number> {
  const tokens = Array.from({ length: 12 }, (_, index) => (index * 23 + 5) % 64);
  const reference = await referenceLogits(randomLlama(options), tokens);
  using sequence = decoder.start(capacity);
  await sequence.append(tokens.slice(0, 3));
  let largest = 0;
  for (let position = 3; position < tokens.length; position++) {
    const logits = await sequence.append(tokens.slice(position, position + 1));
    expect(sequence.length).toBe(position + 1);
    reference[position]?.forEach((value, id) => {
      largest = Math.max(largest, Math.abs(value - (logits[id] as number)));
    });
  }
  return largest;
}

const PRUNED: RandomLlamaOptions = {
  biases: true,
  widths: [
    { keyValueHeads: 1, neurons: 17 },
    { keyValueHeads: 0, neurons: 0 },
    { keyValueHeads: 2, neurons: 40 },
  ],
};

/** Counts runs of a session, and lets a test change what they do. */
const spy = (count: { runs: number }, run?: (session: Session) => Session['run']) => (session: Session) => {
  const original = run?.(session) ?? session.run.bind(session);
  return Object.assign(Object.create(session) as Session, {
    run: (...inputs: Parameters<Session['run']>) => {
      count.runs += 1;
      return original(...inputs);
    },
    dispose: () => session.dispose(),
  });
};

describe('CapturedStep', () => {
  for (const [name, options] of Object.entries({ dense: {}, pruned: PRUNED })) {
    test(`a ${name} decoder gives the definition's logits token by token, again and again`, async () => {
      const count = { runs: 0 };
      using decoder = await open(options, spy(count));
      for (let round = 0; round < 2; round++) expect(await largestDifference(decoder, options)).toBeLessThan(2e-5);
      expect(count.runs).toBe(18);
    });
  }

  test('a second sequence at the same time, or a longer one, decodes plainly', async () => {
    const count = { runs: 0 };
    using decoder = await open({}, spy(count));
    using first = decoder.start(CAPACITY);
    expect(await largestDifference(decoder, {})).toBeLessThan(2e-5);
    expect(count.runs).toBe(0);
    await first.append([1, 2]);
    await first.append([3]);
    expect(count.runs).toBe(1);
    expect(await largestDifference(decoder, {}, CAPACITY + 1)).toBeLessThan(2e-5);
    expect(count.runs).toBe(1);
  });

  test('a recording that comes back with an old result is found out, and not used again', async () => {
    const count = { runs: 0 };
    const stale = (session: Session): Session['run'] => {
      let isRecorded = false;
      return async (feeds, runOptions) => {
        if (isRecorded) return { ...runOptions?.into };
        isRecorded = true;
        return session.run(feeds, runOptions);
      };
    };
    using decoder = await open({}, spy(count, stale));
    expect(await largestDifference(decoder, {})).toBeLessThan(2e-5);
    expect(count.runs).toBe(2);
    expect(await largestDifference(decoder, {})).toBeLessThan(2e-5);
    expect(count.runs).toBe(2);
  });

  test('a recording that fails is not tried again', async () => {
    const count = { runs: 0 };
    using decoder = await open(
      {},
      spy(count, () => async () => {
        throw new Error('this driver records nothing');
      }),
    );
    expect(await largestDifference(decoder, {})).toBeLessThan(2e-5);
    expect(count.runs).toBe(1);
  });

  test('disposing a decoder frees everything', async () => {
    const before = runtime.statistics();
    {
      using decoder = await open(PRUNED);
      await largestDifference(decoder, PRUNED);
    }
    const { liveTensors, liveSessions } = runtime.statistics();
    expect([liveTensors, liveSessions]).toEqual([before.liveTensors, before.liveSessions]);
  });
});
