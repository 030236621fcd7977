import { beforeAll, expect, test } from 'vitest';
import { type Model, modelOf } from '../../architecture/model.ts';
import { blobFolder, blobSource } from '../../checkpoint/files/file.ts';
import { openCheckpoint } from '../../checkpoint/folder.ts';
import { readGgufHeader } from '../../checkpoint/formats/gguf/gguf-header.ts';
import { openNamed } from '../../checkpoint/local.ts';
import { overlayCheckpoint } from '../../checkpoint/overlay.ts';
import { loadTokenizer, type Tokenizer } from '../../checkpoint/tokenizer/tokenizer.ts';
import { OpenModel } from '../../library/open-model.ts';
import { createNodeRuntime } from '../../runtime/node.ts';
import { ggufModel } from './model.ts';

const TEMPLATE =
  "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' }}{% endfor %}";
const TEXT = 'Once upon a time, in 2024, the ÉCOLE was HERE: it\'s 🦊 "naïve" & 東京.\n\n  Twice  indented\t!';

/** As converters tell about a model. */
const DESCRIBED = {
  name: 'Stories 5M',
  organization: 'Espalier',
  size_label: '9.9M',
  languages: ['en', 'fr'],
  'base_model.count': 1,
  'base_model.0.name': 'Seedling',
};

let dense: Model;
beforeAll(async () => {
  const stories = await openNamed('stories');
  const encode = (value: string) => new TextEncoder().encode(value);
  dense = modelOf({
    ...stories,
    provenance: { ...stories.provenance, licence: 'apache-2.0', described: DESCRIBED },
    file: async (name) => {
      if (name === 'chat_template.jinja') return encode(TEMPLATE);
      const bytes = await stories.file(name);
      if (name !== 'tokenizer_config.json') return bytes;
      const config = JSON.parse(new TextDecoder().decode(bytes)) as object;
      return encode(
        JSON.stringify({ ...config, chat_template: [{ name: 'tool_use', template: '{{ tools | length }}' }] }),
      );
    },
  });
});

async function written(model: Model): Promise<Uint8Array> {
  const file = await ggufModel(model, { type: 'F16' });
  const parts: Uint8Array[] = [];
  for await (const chunk of file.chunks()) parts.push(chunk.slice());
  return new Uint8Array(await new Blob(parts as Uint8Array<ArrayBuffer>[]).arrayBuffer());
}

async function reopened(bytes: Uint8Array) {
  const blob = new Blob([bytes as Uint8Array<ArrayBuffer>]);
  return openCheckpoint(blobFolder([{ path: 'stories.gguf', blob }]), { name: 'stories' });
}

async function metadataOf(bytes: Uint8Array): Promise<Record<string, unknown>> {
  const source = blobSource('stories.gguf', new Blob([bytes as Uint8Array<ArrayBuffer>]));
  return Object.fromEntries((await readGgufHeader(source)).metadata);
}

const says = (tokenizer: Tokenizer) => ({
  ids: tokenizer.encode(TEXT),
  text: tokenizer.decode(tokenizer.encode(TEXT)),
  ends: tokenizer.eosTokenIds,
  begins: tokenizer.bosTokenId,
  prompt: tokenizer.applyChatTemplate([{ role: 'user', content: 'Tell me a story.' }]),
  withTools: tokenizer.applyChatTemplate([], { tools: [{}, {}] }),
});

test('GGUF, pruned and written as GGUF again, keeps tokenizer, template and metadata', async () => {
  const first = await written(dense);
  using runtime = await createNodeRuntime({ threads: 1 });
  using open = new OpenModel(runtime, await reopened(first));
  // A third of the neurons and every attention group stay.
  using pruned = open.pruned(
    open.layerGroups().map(({ attention, mlp }) => ({
      attention: Array.from({ length: attention.groups }, (_, group) => group),
      mlp: Array.from({ length: mlp.groups }, (_, neuron) => neuron).filter((neuron) => neuron % 3 === 0),
    })),
  );
  const second = await written(pruned.model);
  expect(second.length).toBeLessThan(first.length);
  const [before, after] = [await metadataOf(first), await metadataOf(second)];
  const { 'llama.feed_forward_length': wide, 'general.size_label': large, ...kept } = before;
  const { 'llama.feed_forward_length': narrow, 'general.size_label': small, ...still } = after;
  expect(kept).toMatchObject({
    'general.name': 'Stories 5M',
    'general.languages': ['en', 'fr'],
    'general.base_model.count': 1,
  });
  expect([large, small]).toEqual(['4.6M', expect.stringMatching(/^[23]\.\dM$/)]);
  expect(Object.keys(kept)).toContain('tokenizer.chat_template');
  expect(Object.keys(kept)).toContain('tokenizer.ggml.merges');
  expect(still).toEqual(kept);
  expect(Number(narrow)).toBe(Math.ceil(Number(wide) / 3));
  const told = says(await loadTokenizer(await reopened(second)));
  expect(told).toEqual(says(await loadTokenizer(dense.checkpoint)));
  expect(told.text).toBe(TEXT);
  expect(told.withTools).toBe('2');
});

test('a weight beyond half precision is told, with the types that hold it', async () => {
  const name = 'model.layers.0.mlp.up_proj.weight';
  const { shape = [] } = dense.checkpoint.tensors.get(name) ?? {};
  const data = (await dense.checkpoint.read(name)).slice();
  data[7] = -1e6;
  const model = modelOf(overlayCheckpoint(dense.checkpoint, new Map([[name, { shape, data }]])));
  await expect(written(model)).rejects.toThrow(
    `The weight ${name} has the value -1000000, and half precision ends at 65,504: it would become infinite. Write the GGUF file as Q8_0 or F32`,
  );
});
