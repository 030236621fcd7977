import { expect, test } from 'vitest';
import { architectureFor } from '../architecture/index.ts';
import { EspalierError } from '../errors.ts';
import { openCheckpoint } from './folder.ts';
import { writeSafetensors } from './formats/safetensors/safetensors-write.ts';
import { floatToHalf } from './half.ts';
import { memoryFiles } from './testing/memory-files.ts';

const encode = (value: unknown) => new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value));
const word = (value: bigint, bytes: number) => new Uint8Array(BigUint64Array.of(value).buffer).slice(0, bytes);
const text = (value: string) => [...word(BigInt(value.length), 8), ...encode(value)];

/** A GGUF file without tensors whose metadata are texts. */
function gguf(metadata: Readonly<Record<string, string>>): Uint8Array {
  const entries = Object.entries(metadata).flatMap(([key, value]) => [...text(key), ...word(8n, 4), ...text(value)]);
  return Uint8Array.from([
    ...encode('GGUF'),
    ...word(3n, 4),
    ...word(0n, 8),
    ...word(BigInt(Object.keys(metadata).length), 8),
    ...entries,
  ]);
}

const weights = (name: string) =>
  writeSafetensors(new Map([[name, { dtype: 'F16', shape: [2], data: floatToHalf(Float32Array.of(1, 2)) }]]));

test.each<readonly [string, Readonly<Record<string, Uint8Array>>, string]>([
  [
    'an adapter',
    {
      'adapter_config.json': encode({ peft_type: 'LORA', base_model_name_or_path: 'org/base' }),
      'adapter_model.safetensors': weights('lora_A.weight'),
    },
    'm is an adapter of "org/base", not a model. Merge it into its model, e.g. with merge_and_unload() of peft, and open the result.',
  ],
  [
    'pickled weights',
    { 'config.json': encode({}), 'pytorch_model.bin': encode('PK') },
    'm has PyTorch pickle weights (pytorch_model.bin) and no safetensors. Convert them, e.g. with model.save_pretrained(folder) of transformers.',
  ],
  [
    'packed weights',
    {
      'config.json': encode({ model_type: 'llama', quantization_config: { quant_method: 'awq' } }),
      'model.safetensors': weights('model.layers.0.self_attn.q_proj.qweight'),
    },
    'm is quantised by awq (tensor model.layers.0.self_attn.q_proj.qweight), which is not read. Take the model in half precision, or as a GGUF file.',
  ],
  [
    'another architecture',
    { 'm.gguf': gguf({ 'general.architecture': 'rwkv6' }) },
    'm.gguf is of the architecture "rwkv6"; GGUF files are read for llama, qwen2, qwen3, gemma3, phi3, deci, openelm (Mistral files say llama). Take a model of one of these.',
  ],
  [
    'the image part of a model',
    { 'mmproj.gguf': gguf({ 'general.architecture': 'clip' }) },
    'mmproj.gguf is the image part of a model, not a language model. Open the GGUF file without "mmproj" in its name.',
  ],
  [
    'an adapter as GGUF',
    { 'lora.gguf': gguf({ 'general.architecture': 'llama', 'general.type': 'adapter' }) },
    'lora.gguf is an adapter (LoRA), not a model. Merge it into its model and open the result.',
  ],
  [
    'a page in place of a file',
    { 'm.gguf': encode('<!DOCTYPE html><html>Please sign in</html>') },
    'm.gguf is a web page, not the file itself. Download the file by its own link; the page may ask to sign in first.',
  ],
  [
    'a pointer in place of a file',
    {
      'config.json': encode({}),
      'model.safetensors': encode('version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n'),
    },
    'model.safetensors is a pointer of Git LFS, not the file itself. Run "git lfs pull" in its folder, or download the file.',
  ],
])('%s is refused with what to do', async (_, files, sentence) => {
  const error = await openCheckpoint(memoryFiles('m', files))
    .then(architectureFor)
    .catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(EspalierError);
  expect(error).toHaveProperty('message', sentence);
});
