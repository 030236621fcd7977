import { afterAll, beforeAll, expect, test } from 'vitest';
import { openNamed } from '../checkpoint/local.ts';
import { UsageError } from '../errors.ts';
import { memoryFolder } from '../export/memory-folder.ts';
import { createNodeRuntime } from '../runtime/node.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { trimmedCheckpoint } from '../surgery/vocabulary.ts';
import { exportPruned } from './export.ts';
import { OpenModel } from './open-model.ts';
import { trimVocabulary } from './vocabulary.ts';

const TEXT =
  'Once upon a time there was a little girl named Lily. She loved to play with her cat in the garden. One day the cat ran away and Lily was very sad.';

let runtime: Runtime;
let open: OpenModel;
let windows: number[][];
beforeAll(async () => {
  runtime = await createNodeRuntime({});
  open = new OpenModel(runtime, await openNamed('stories'));
  windows = [(await open.tokenizer()).encode(TEXT)];
});
afterAll(() => {
  open.dispose();
  runtime.dispose();
});

test('keeps what the text uses, loses rows of the embedding, and writes a model that tells the same story', async () => {
  const trimmed = await trimVocabulary(open, { keep: '1024', windows });
  using model = trimmed.model;
  expect(trimmed.tokensBefore).toBe(4096);
  expect(trimmed.tokensAfter).toBeLessThanOrEqual(1024);
  expect(trimmed.tokensAfter).toBeGreaterThan(1000);
  // Every token of the text is among the thousand most used.
  expect(trimmed.tokensPerWordAfter).toBe(trimmed.tokensPerWordBefore);
  expect(model.config.vocabulary).toBe(trimmed.tokensAfter);
  expect(model.model.checkpoint.config.eos_token_id).toBe(0);
  const tokenizer = await model.tokenizer();
  expect(tokenizer.decode(tokenizer.encode(TEXT))).toBe(TEXT);
  expect(tokenizer.decode(tokenizer.encode('Ünïcode 漢字 🦊!'))).toBe('Ünïcode 漢字 🦊!');

  const output = memoryFolder();
  const { files, verification } = await exportPruned(model, { output, windows: trimmed.reencode(windows) });
  expect(verification.maxAbsoluteDifference).toBeLessThan(1e-3);
  expect(files.map(({ name }) => name)).toContain('tokenizer.json');
  const config = JSON.parse((await output.files.get('config.json')?.text()) ?? '{}') as Record<string, unknown>;
  expect(config.vocab_size).toBe(trimmed.tokensAfter);
});

test('"seen" keeps the tokens of the text and what they are made of', async () => {
  const trimmed = await trimVocabulary(open, { keep: 'seen', windows });
  using _ = trimmed.model;
  const distinct = new Set(windows.flat()).size;
  expect(trimmed.tokensAfter).toBeGreaterThan(distinct);
  expect(trimmed.tokensAfter).toBeLessThan(600);
  expect(trimmed.reencode(windows)).toEqual(windows.map((window) => window.map((id) => trimmed.kept.indexOf(id))));
});

test('keeps the tokens that configs, the template around a text and the chat template need', async () => {
  const template = "{% for message in messages %}{{ 'Zebra said: ' + message['content'] }}{% endfor %}";
  const stories = await openNamed('stories');
  const tokenizer = await open.tokenizer();
  // A word of the vocabulary that no text here has: its last token stands for an end.
  const rare = tokenizer.encode(' dragon').at(-1) ?? 0;
  using other = new OpenModel(runtime, {
    ...stories,
    config: { ...stories.config, pad_token_id: rare },
    file: async (name) => (name === 'chat_template.jinja' ? new TextEncoder().encode(template) : stories.file(name)),
  });
  const trimmed = await trimVocabulary(other, { keep: 'seen', windows });
  using model = trimmed.model;
  expect(trimmed.kept).toContain(rare);
  expect(model.model.checkpoint.config.pad_token_id).toBe(trimmed.kept.indexOf(rare));
  const written = tokenizer.encode('Zebra said: a');
  for (const id of written) expect(trimmed.kept).toContain(id);
  // Who chooses tokens by hand is told which one is missing, and for what.
  const without = trimmed.kept.filter((id) => id !== rare);
  await expect(trimmedCheckpoint(other.model.checkpoint, without)).rejects.toThrow(
    `The token ${rare} would go, and pad_token_id of config.json needs it.`,
  );
});

test('needs text, and a size that spells every text', async () => {
  await expect(trimVocabulary(open, { keep: '0.5', windows: [] })).rejects.toThrow('--calibration FILE');
  await expect(trimVocabulary(open, { keep: '100', windows })).rejects.toThrow(UsageError);
});
