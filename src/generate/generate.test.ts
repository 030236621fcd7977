import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { modelOf } from '../architecture/model.ts';
import { createTokenizer, type Tokenizer } from '../checkpoint/tokenizer/tokenizer.ts';
import { decoderGraph } from '../decoder/decoder-graph.ts';
import { CancelledError, UsageError } from '../errors.ts';
import { type RandomLlamaOptions, randomLlama } from '../export/testing/random-llama.ts';
import { referenceLogits } from '../export/testing/reference-llama.ts';
import { createNodeRuntime } from '../runtime/node.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { openDecoder } from './decoder.ts';
import { type GeneratedToken, generate } from './generate.ts';
import { decoderForModel } from './model-decoder.ts';
import { greatest } from './sampling.ts';

const VOCABULARY = 64;
/** One letter a token; id 2 ends the text. */
const tokenizer: Tokenizer = createTokenizer({
  name: 'letters',
  tokenizer: {
    model: {
      type: 'BPE',
      unk_token: 'u',
      merges: [],
      vocab: Object.fromEntries(
        Array.from({ length: VOCABULARY }, (_, id) => [id === 2 ? '</s>' : String.fromCharCode(65 + id), id]),
      ),
    },
    added_tokens: [
      { id: 2, content: '</s>', special: true, single_word: false, lstrip: false, rstrip: false, normalized: false },
    ],
    decoder: { type: 'Fuse' },
  },
  tokenizerConfig: { eos_token: '</s>' },
  config: { vocab_size: VOCABULARY, eos_token_id: 2 },
  generationConfig: {},
});
const PROMPT = [10, 20, 30, 40, 50];

let runtime: Runtime;
beforeAll(async () => {
  runtime = await createNodeRuntime({ threads: 1 });
});
afterAll(() => runtime.dispose());

async function referenceGreedy(options: RandomLlamaOptions, count: number): Promise<number[]> {
  const checkpoint = randomLlama(options);
  const tokens = [...PROMPT];
  while (tokens.length < PROMPT.length + count) {
    const last = (await referenceLogits(checkpoint, tokens)).at(-1) as Float64Array;
    tokens.push(greatest(Float32Array.from(last)));
  }
  return tokens.slice(PROMPT.length);
}

const PRUNED: RandomLlamaOptions = {
  seed: 4,
  widths: [
    { keyValueHeads: 1, neurons: 17 },
    { keyValueHeads: 0, neurons: 0 },
    { keyValueHeads: 2, neurons: 40 },
  ],
};

describe('generate', () => {
  for (const [name, options] of Object.entries({
    dense: { seed: 3 },
    pruned: PRUNED,
    'unfused attention': { headDimension: 12 },
  })) {
    test(`greedy tokens of a ${name} model are those of the definition`, async () => {
      using decoder = await decoderForModel(runtime, modelOf(randomLlama(options)));
      const expected = await referenceGreedy(options, 12);
      const { tokenIds, finish, promptTokens } = await generate(decoder, tokenizer, PROMPT, {
        maxNewTokens: 12,
        eosTokenIds: [],
      });
      expect(tokenIds).toEqual(expected);
      expect([finish, promptTokens]).toEqual(['length', PROMPT.length]);
    });
  }

  test('a cache of full length, written in place, and a growing one give the same tokens', async () => {
    const model = modelOf(randomLlama({ seed: 3 }));
    using fixed = await decoderForModel(runtime, model);
    const { graph, weights } = decoderGraph(model);
    const chunks: Uint8Array[] = [];
    for await (const chunk of weights.chunks(model.checkpoint)) chunks.push(chunk.slice());
    using growing = await openDecoder(runtime, graph, {
      externalData: { [weights.location]: new Blob(chunks as BlobPart[]) },
    });
    const options = { maxNewTokens: 40, temperature: 1, seed: 9, eosTokenIds: [] };
    expect((await generate(fixed, tokenizer, PROMPT, options)).tokenIds).toEqual(
      (await generate(growing, tokenizer, PROMPT, options)).tokenIds,
    );
  });

  test('streams pieces whose concatenation is the text, the same for one seed and different for another', async () => {
    using decoder = await decoderForModel(runtime, modelOf(randomLlama({ seed: 3 })));
    const run = async (seed: number) => {
      const tokens: GeneratedToken[] = [];
      const result = await generate(decoder, tokenizer, PROMPT, {
        maxNewTokens: 20,
        temperature: 1.5,
        seed,
        eosTokenIds: [],
        onToken: (token) => tokens.push(token),
      });
      expect(tokens.map(({ text }) => text).join('')).toBe(result.text);
      expect(tokens.map(({ tokenId }) => tokenId)).toEqual(result.tokenIds);
      for (const { probability } of tokens) expect(probability).toBeGreaterThan(0);
      return result;
    };
    const first = await run(1);
    expect((await run(1)).tokenIds).toEqual(first.tokenIds);
    expect((await run(2)).tokenIds).not.toEqual(first.tokenIds);
    expect(first.timeToFirstToken).toBeGreaterThan(0);
    expect(first.decodeTokensPerSecond).toBeGreaterThan(0);
    expect(first.prefillTokensPerSecond).toBeGreaterThan(0);
  });

  test('ends at an end token, which is not part of the text', async () => {
    using decoder = await decoderForModel(runtime, modelOf(randomLlama({ seed: 3 })));
    const [first = 0, second = 0] = await referenceGreedy({ seed: 3 }, 2);
    const result = await generate(decoder, tokenizer, PROMPT, { maxNewTokens: 12, eosTokenIds: [second] });
    expect(result.finish).toBe('end-of-text');
    expect(result.tokenIds).toEqual([first]);
    expect(result.decodeTokensPerSecond).toBe(0);
  });

  test('stops between tokens when it is cancelled, and gives the cache back to the decoder, which frees it', async () => {
    const before = runtime.statistics().liveTensors;
    using decoder = await decoderForModel(runtime, modelOf(randomLlama()));
    const controller = new AbortController();
    let seen = 0;
    const cancelled = generate(decoder, tokenizer, PROMPT, {
      maxNewTokens: 50,
      eosTokenIds: [],
      signal: controller.signal,
      onToken: () => {
        seen += 1;
        if (seen === 3) controller.abort();
      },
    });
    await expect(cancelled).rejects.toThrow(CancelledError);
    expect(seen).toBe(3);
    const kept = runtime.statistics().liveTensors;
    await generate(decoder, tokenizer, PROMPT, { maxNewTokens: 50, eosTokenIds: [] });
    expect(runtime.statistics().liveTensors).toBe(kept);
    decoder.dispose();
    expect(runtime.statistics().liveTensors).toBe(before);
  });

  test('a long prompt is processed in chunks with the same result', async () => {
    using decoder = await decoderForModel(runtime, modelOf(randomLlama()));
    const prompt = Array.from({ length: 100 }, (_, index) => (index * 31) % VOCABULARY);
    using whole = decoder.start(120);
    const expected = await whole.append(prompt);
    using pieces = decoder.start(120);
    await pieces.append(prompt.slice(0, 33));
    await pieces.append(prompt.slice(33, 34));
    const found = await pieces.append(prompt.slice(34));
    expect(pieces.length).toBe(100);
    found.forEach((value, index) => {
      expect(Math.abs(value - (expected[index] as number))).toBeLessThan(1e-5);
    });
  });

  test('a context with a tail that is dropped gives what two runs give, with a cache of full length and with one that grows', async () => {
    const model = modelOf(randomLlama({ maximumPositions: 1024 }));
    const { graph, weights } = decoderGraph(model);
    const chunks: Uint8Array[] = [];
    for await (const chunk of weights.chunks(model.checkpoint)) chunks.push(chunk.slice());
    const externalData = { [weights.location]: new Blob(chunks as BlobPart[]) };
    // Longer than what is read at once.
    const context = Array.from({ length: 600 }, (_, index) => (index * 31) % VOCABULARY);
    const tail = [3, 5, 7];
    using whole = await openDecoder(runtime, graph, { externalData, fixedCache: true });
    using plain = whole.start(700);
    const expected = [...(await plain.append(context)), ...(await plain.appendForAllLogits(tail))];
    for (const fixedCache of [true, false]) {
      using decoder = await openDecoder(runtime, graph, { externalData, fixedCache });
      using sequence = decoder.start(700);
      const found = await sequence.appendMarked(context, tail);
      expect(found.length).toBe(expected.length);
      found.forEach((value, index) => {
        expect(Math.abs(value - (expected[index] as number))).toBeLessThan(1e-5);
      });
      expect(sequence.length).toBe(600);
      const again = await sequence.appendForAllLogits(tail);
      again.forEach((value, index) => {
        expect(Math.abs(value - (expected[index + VOCABULARY] as number))).toBeLessThan(1e-5);
      });
    }
  });

  test('refuses an empty or too long prompt', async () => {
    using decoder = await decoderForModel(runtime, modelOf(randomLlama()));
    await expect(generate(decoder, tokenizer, [])).rejects.toThrow(UsageError);
    await expect(generate(decoder, tokenizer, PROMPT, { maximumPositions: 5 })).rejects.toThrow('holds 5');
    const short = await generate(decoder, tokenizer, PROMPT, { maximumPositions: 8, eosTokenIds: [] });
    expect(short.tokenIds).toHaveLength(3);
  });
});
