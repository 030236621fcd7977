import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { diskModel } from '../checkpoint/files/disk.ts';
import { openCheckpoint } from '../checkpoint/folder.ts';
import { type WritableTensor, writeSafetensors } from '../checkpoint/formats/safetensors/safetensors-write.ts';
import { memoryFiles } from '../checkpoint/testing/memory-files.ts';
import { modelOf } from './model.ts';
import type { FixtureName } from './testing/fixture.ts';

/** An output matrix beside the embedding of families that tie the two by default, under whatever names. */
const FAMILIES: readonly (readonly [FixtureName, string, string])[] = [
  ['gpt2', 'transformer.wte.weight', 'lm_head.weight'],
  ['opt', 'model.decoder.embed_tokens.weight', 'lm_head.weight'],
  ['pythia', 'gpt_neox.embed_in.weight', 'embed_out.weight'],
  ['gemma', 'model.embed_tokens.weight', 'lm_head.weight'],
  ['starcoder2', 'model.embed_tokens.weight', 'lm_head.weight'],
];

/** The fixture with a head that is the embedding plus `added` in one value; `tie` is what its config says. */
async function withHead(name: FixtureName, embedding: string, head: string, added: number, tie: boolean | undefined) {
  const { files: folder } = await diskModel(join(import.meta.dirname, 'fixtures', name));
  const checkpoint = await openCheckpoint(folder);
  const tensors = new Map<string, WritableTensor>();
  for (const [key, { shape }] of checkpoint.tensors)
    if (!/lm_head|embed_out/.test(key)) tensors.set(key, { dtype: 'F32', shape, data: await checkpoint.read(key) });
  const { shape = [] } = checkpoint.tensors.get(embedding) ?? {};
  const data = (await checkpoint.read(embedding)).slice();
  data[3] = (data[3] as number) + added;
  tensors.set(head, { dtype: 'F32', shape, data });
  expect(shape).not.toEqual([]);
  const config = { ...checkpoint.config, tie_word_embeddings: tie };
  const files = {
    'config.json': new TextEncoder().encode(JSON.stringify(config)),
    'model.safetensors': writeSafetensors(tensors),
  };
  return { data, model: modelOf(await openCheckpoint(memoryFiles('m', files))) };
}

describe.each(FAMILIES)('%s', (name, embedding, head) => {
  test.each([true, undefined])('a head that differs is used where the config says tied: %s', async (tie) => {
    const { data, model } = await withHead(name, embedding, head, 1, tie);
    expect(model.architecture.config.tiedEmbedding).toBe(false);
    expect([...(await model.checkpoint.read('lm_head.weight'))]).toEqual([...data]);
    expect(model.checkpoint.notes?.length).toBe(tie ? 1 : 0);
  });

  test('a head that is a copy of the embedding is tied', async () => {
    const { model } = await withHead(name, embedding, head, 0, true);
    expect(model.architecture.config.tiedEmbedding).toBe(true);
    expect(model.checkpoint.tensors.has('lm_head.weight')).toBe(false);
  });
});
