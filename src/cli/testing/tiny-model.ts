import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Checkpoint } from '../../checkpoint/checkpoint.ts';
import { type WritableTensor, writeSafetensors } from '../../checkpoint/formats/safetensors/safetensors-write.ts';
import { type RandomLlamaOptions, randomLlama } from '../../export/testing/random-llama.ts';
import { createRandom } from '../../random.ts';

/** Letters, a space, a full stop: with the three special tokens a vocabulary of 32. */
const CHARACTERS = [...'abcdefghijklmnopqrstuvwxyz .\n'];
const SPECIAL = ['<unk>', '<s>', '</s>'];

export const TINY = {
  layers: 2,
  hiddenSize: 32,
  queryHeads: 4,
  keyValueHeads: 2,
  headDimension: 8,
  neurons: 24,
  vocabulary: 32,
} as const;

export interface TinyModel {
  /** Random weights by `randomLlama`'s options. */
  readonly weights?: RandomLlamaOptions;
  /** Laid over config.json; undefined removes a field. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Tensors that are left out, or that get another shape. */
  readonly without?: string;
  readonly reshaped?: { readonly name: string; readonly shape: readonly number[] };
  /** A tensor of which one element gets another value. */
  readonly changed?: { readonly name: string; readonly at: number; readonly value: number };
  readonly tokenizer?: boolean;
}

/** Writes a small model in the Hugging Face layout: config.json, model.safetensors and tokenizer.json with one token for each character. */
export async function writeTinyModel(
  folder: string,
  { weights, config, without, reshaped, changed, tokenizer = true }: TinyModel = {},
): Promise<string> {
  await mkdir(folder, { recursive: true });
  const checkpoint = randomLlama({ ...TINY, seed: 6, ...weights });
  await writeFile(join(folder, 'config.json'), JSON.stringify({ ...checkpoint.config, ...config }));
  await writeFile(join(folder, 'model.safetensors'), await safetensors(checkpoint, { without, reshaped, changed }));
  if (tokenizer) {
    await writeFile(join(folder, 'tokenizer.json'), JSON.stringify(characterTokenizer()));
    await writeFile(
      join(folder, 'tokenizer_config.json'),
      JSON.stringify({ bos_token: '<s>', eos_token: '</s>', unk_token: '<unk>' }),
    );
  }
  return folder;
}

async function safetensors(
  checkpoint: Checkpoint,
  { without, reshaped, changed }: { readonly [Key in 'without' | 'reshaped' | 'changed']: TinyModel[Key] | undefined },
): Promise<Uint8Array> {
  const tensors = new Map<string, WritableTensor>();
  for (const [name, { shape }] of checkpoint.tensors)
    if (name !== without) tensors.set(name, { dtype: 'F32', shape, data: (await checkpoint.read(name)).slice() });
  if (changed) tensors.get(changed.name)?.data.fill(changed.value as never, changed.at, changed.at + 1);
  if (reshaped)
    tensors.set(reshaped.name, {
      dtype: 'F32',
      shape: reshaped.shape,
      data: new Float32Array(reshaped.shape.reduce((a, b) => a * b, 1)),
    });
  return writeSafetensors(tensors);
}

/** The contents of its tokenizer.json. */
export function characterTokenizer() {
  const special = SPECIAL.map((content, id) => ({
    id,
    content,
    special: true,
    normalized: false,
    single_word: false,
    lstrip: false,
    rstrip: false,
  }));
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: special,
    normalizer: null,
    pre_tokenizer: null,
    post_processor: null,
    decoder: { type: 'Fuse' },
    model: {
      type: 'BPE',
      unk_token: '<unk>',
      fuse_unk: false,
      byte_fallback: false,
      vocab: Object.fromEntries([...SPECIAL, ...CHARACTERS].map((token, id) => [token, id])),
      merges: [],
    },
  };
}

/** Random words of letters, `tokens` characters long: as many tokens of the tiny model. */
export function tinyText(tokens: number, seed = 1): string {
  const random = createRandom(seed);
  return Array.from({ length: tokens }, () => CHARACTERS[random.integer(CHARACTERS.length - 1)]).join('');
}
