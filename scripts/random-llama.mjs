import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

/**
 * Writes a LLaMA of any size with random weights as sharded safetensors in half precision, one layer a file, and windows of random token ids for it:
 * to score a model larger than memory. The defaults are the shape of LLaMA 7B, 13.5 GB.
 *
 *   node scripts/random-llama.mjs --output DIR [--layers 32] [--hidden 4096] [--neurons 11008] [--heads 32] [--vocabulary 32000]
 *     [--windows 4] [--length 64] [--seed 0]
 */
const { values } = parseArgs({
  options: {
    output: { type: 'string' },
    layers: { type: 'string', default: '32' },
    hidden: { type: 'string', default: '4096' },
    neurons: { type: 'string', default: '11008' },
    heads: { type: 'string', default: '32' },
    vocabulary: { type: 'string', default: '32000' },
    windows: { type: 'string', default: '4' },
    length: { type: 'string', default: '64' },
    seed: { type: 'string', default: '0' },
  },
});
const { output } = values;
if (!output) throw new Error('Name the folder to write: --output DIR.');
const folder = output;
/** @param {'layers' | 'hidden' | 'neurons' | 'heads' | 'vocabulary' | 'windows' | 'length' | 'seed'} name */
const size = (name) => {
  const value = Number(values[name]);
  if (!Number.isSafeInteger(value) || value < (name === 'seed' ? 0 : 1))
    throw new Error(`--${name} is "${values[name]}"; it is a positive whole number.`);
  return value;
};
const layers = size('layers');
const hidden = size('hidden');
const neurons = size('neurons');
const heads = size('heads');
const vocabulary = size('vocabulary');
if (hidden % (2 * heads) !== 0) throw new Error(`--hidden ${hidden} is not a multiple of twice --heads ${heads}.`);

let state = (size('seed') * 2654435761 + 1) >>> 0;
/** 32 random bits (xorshift32). */
function random() {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return state >>> 0;
}

/**
 * Half-precision bit patterns of a normal distribution's quantiles, times `scale`: random 12 bits choose among them.
 * @param {number} scale
 */
function quantiles(scale) {
  const table = new Uint16Array(4096);
  for (let i = 0; i < table.length; i += 1) {
    // The logistic approximation to the normal quantile is as good as any for weights.
    const share = (i + 0.5) / table.length;
    table[i] = halfBits((scale * Math.log(share / (1 - share))) / 1.814);
  }
  return table;
}

/** @param {number} value */
function halfBits(value) {
  const sign = value < 0 ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  if (magnitude < 2 ** -14) return sign | Math.round(magnitude * 2 ** 24);
  const exponent = Math.floor(Math.log2(magnitude));
  return sign | (((exponent + 15) << 10) + Math.round((magnitude / 2 ** exponent - 1) * 1024));
}

const CHUNK = 1 << 22;

/** @typedef {{ tensor: string, shape: number[], scale?: number }} Tensor - without a scale all ones */

/**
 * @param {string} name
 * @param {Tensor[]} tensors
 * @returns {[string, string][]} where each tensor lies
 */
function writeTensors(name, tensors) {
  let offset = 0;
  const header = Object.fromEntries(
    tensors.map(({ tensor, shape }) => {
      const bytes = 2 * shape.reduce((product, extent) => product * extent, 1);
      offset += bytes;
      return [tensor, { dtype: 'F16', shape, data_offsets: [offset - bytes, offset] }];
    }),
  );
  const json = Buffer.from(JSON.stringify(header));
  const file = openSync(join(folder, name), 'w');
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  writeSync(file, length);
  writeSync(file, json);
  const chunk = new Uint16Array(CHUNK);
  for (const { shape, scale } of tensors) {
    const table = scale === undefined ? undefined : quantiles(scale);
    let left = shape.reduce((product, extent) => product * extent, 1);
    while (left > 0) {
      const count = Math.min(left, CHUNK);
      if (!table) chunk.fill(0x3c00, 0, count);
      else
        for (let i = 0; i < count; i += 2) {
          const bits = random();
          chunk.set([table[bits & 4095] ?? 0, table[(bits >>> 12) & 4095] ?? 0], i);
        }
      let written = 0;
      while (written < 2 * count) written += writeSync(file, chunk, written, 2 * count - written);
      left -= count;
    }
  }
  closeSync(file);
  return tensors.map(({ tensor }) => [tensor, name]);
}

mkdirSync(output, { recursive: true });
/** @type {[string, string][]} */
const map = [];
/** @type {(tensor: string, rows: number, columns: number) => Tensor} */
const linear = (tensor, rows, columns) => ({ tensor, shape: [rows, columns], scale: columns ** -0.5 });
/** @type {(tensor: string) => Tensor} */
const norm = (tensor) => ({ tensor, shape: [hidden] });
for (let layer = 0; layer < layers; layer += 1) {
  const at = (/** @type {string} */ name) => `model.layers.${layer}.${name}.weight`;
  map.push(
    ...writeTensors(
      `model-${String(layer + 1).padStart(5, '0')}-of-${String(layers + 1).padStart(5, '0')}.safetensors`,
      [
        ...['q', 'k', 'v', 'o'].map((each) => linear(at(`self_attn.${each}_proj`), hidden, hidden)),
        linear(at('mlp.gate_proj'), neurons, hidden),
        linear(at('mlp.up_proj'), neurons, hidden),
        linear(at('mlp.down_proj'), hidden, neurons),
        norm(at('input_layernorm')),
        norm(at('post_attention_layernorm')),
      ],
    ),
  );
  process.stderr.write(`\rlayer ${layer + 1} of ${layers}`);
}
const last = String(layers + 1).padStart(5, '0');
map.push(
  ...writeTensors(`model-${last}-of-${last}.safetensors`, [
    { tensor: 'model.embed_tokens.weight', shape: [vocabulary, hidden], scale: 1 },
    norm('model.norm.weight'),
    linear('lm_head.weight', vocabulary, hidden),
  ]),
);
const config = {
  architectures: ['LlamaForCausalLM'],
  model_type: 'llama',
  hidden_size: hidden,
  intermediate_size: neurons,
  num_hidden_layers: layers,
  num_attention_heads: heads,
  num_key_value_heads: heads,
  max_position_embeddings: 2048,
  vocab_size: vocabulary,
  rms_norm_eps: 1e-5,
  hidden_act: 'silu',
  tie_word_embeddings: false,
  torch_dtype: 'float16',
};
writeFileSync(join(output, 'config.json'), `${JSON.stringify(config, null, 2)}\n`);
writeFileSync(
  join(output, 'model.safetensors.index.json'),
  JSON.stringify({ metadata: {}, weight_map: Object.fromEntries(map) }),
);
const windows = Array.from({ length: size('windows') }, () =>
  Array.from({ length: size('length') }, () => random() % vocabulary),
);
writeFileSync(join(output, 'windows.json'), JSON.stringify(windows));
process.stderr.write('\n');
