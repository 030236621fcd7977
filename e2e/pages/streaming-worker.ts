import { expose } from 'comlink';
import { opfsStore } from '../../src/checkpoint/files/opfs.ts';
import { openCheckpoint } from '../../src/checkpoint/folder.ts';
import type { ModelStore, PartialFile } from '../../src/checkpoint/store/model-store.ts';
import { importance } from '../../src/importance/importance.ts';
import { OpenModel } from '../../src/library/open-model.ts';
import { seededRandom } from '../../src/random.ts';
import { createWebRuntime } from '../../src/runtime/web.ts';

export interface Shape {
  readonly layers: number;
  readonly hiddenSize: number;
  readonly heads: number;
  readonly neurons: number;
  readonly vocabulary: number;
}

export interface Streamed {
  /** Of the weight file, in half precision. */
  readonly fileBytes: number;
  /** Of all weights as the runtime computes with them, and of one layer. */
  readonly weightBytes: number;
  readonly layerBytes: number;
  /** Peak of the runtime's tensors, and of the kernels' own memory. */
  readonly peakBytes: number;
  readonly liveTensors: number;
  readonly scoredLayers: number;
  readonly loss: number;
}

const store: ModelStore = opfsStore('streaming');
const key = ({ layers }: Shape) => ({ id: `random/layers-${layers}`, commit: 'a'.repeat(40) });

/** Tensor names with shapes, in the order of the file. */
function tensorsOf({ layers, hiddenSize, neurons, vocabulary }: Shape): [string, number[]][] {
  const block = (layer: number): [string, number[]][] => [
    ...['q', 'k', 'v', 'o'].map((each): [string, number[]] => [
      `model.layers.${layer}.self_attn.${each}_proj.weight`,
      [hiddenSize, hiddenSize],
    ]),
    [`model.layers.${layer}.mlp.gate_proj.weight`, [neurons, hiddenSize]],
    [`model.layers.${layer}.mlp.up_proj.weight`, [neurons, hiddenSize]],
    [`model.layers.${layer}.mlp.down_proj.weight`, [hiddenSize, neurons]],
    [`model.layers.${layer}.input_layernorm.weight`, [hiddenSize]],
    [`model.layers.${layer}.post_attention_layernorm.weight`, [hiddenSize]],
  ];
  return [
    ['model.embed_tokens.weight', [vocabulary, hiddenSize]],
    ...Array.from({ length: layers }, (_, layer) => block(layer)).flat(),
    ['model.norm.weight', [hiddenSize]],
  ];
}

const elements = (shape: readonly number[]) => shape.reduce((product, size) => product * size, 1);

/** Half-precision noise of about ±0.03: sign and fraction at random, the exponent of 2^-6. */
function noise(): Uint16Array<ArrayBuffer> {
  const random = seededRandom(5);
  return Uint16Array.from(
    { length: 1 << 19 },
    () => ((random() < 0.5 ? 0x8000 : 0) | (9 << 10) | Math.floor(random() * 1024)) >>> 0,
  );
}

async function writeWeights(file: PartialFile, tensors: readonly [string, number[]][]): Promise<number> {
  let offset = 0;
  const header: Record<string, unknown> = {};
  for (const [name, shape] of tensors) {
    const bytes = 2 * elements(shape);
    header[name] = { dtype: 'F16', shape, data_offsets: [offset, offset + bytes] };
    offset += bytes;
  }
  const json = new TextEncoder().encode(JSON.stringify(header));
  const start = new Uint8Array(8 + json.length);
  new DataView(start.buffer).setBigUint64(0, BigInt(json.length), true);
  start.set(json, 8);
  await file.append(start);
  const pool = new Uint8Array(noise().buffer);
  for (const [, shape] of tensors)
    for (let left = 2 * elements(shape); left > 0; left -= Math.min(left, pool.length))
      await file.append(pool.subarray(0, Math.min(left, pool.length)));
  return start.length + offset;
}

const worker = {
  /** Writes a model of random weights into the origin's private file system. Returns the bytes of its weight file. */
  async write(shape: Shape): Promise<number> {
    const { layers, hiddenSize, heads, neurons, vocabulary } = shape;
    const config = {
      model_type: 'llama',
      num_hidden_layers: layers,
      hidden_size: hiddenSize,
      num_attention_heads: heads,
      num_key_value_heads: heads,
      intermediate_size: neurons,
      vocab_size: vocabulary,
      tie_word_embeddings: true,
    };
    const put = async (name: string, fill: (file: PartialFile) => Promise<unknown>) => {
      const file = await store.partial(key(shape), name);
      try {
        await file.discard();
        await fill(file);
        await file.commit();
      } finally {
        await file.close();
      }
    };
    await put('config.json', (file) => file.append(new TextEncoder().encode(JSON.stringify(config))));
    let bytes = 0;
    await put('model.safetensors', async (file) => {
      bytes = await writeWeights(file, tensorsOf(shape));
    });
    return bytes;
  },
  /** Scores it with one window of `tokens`, its weights streamed and all activations recomputed, so that nothing but the layer at hand needs memory. */
  async score(shape: Shape, tokens: number): Promise<Streamed> {
    using runtime = await createWebRuntime({ backend: 'wasm' });
    const checkpoint = await openCheckpoint(await store.files(key(shape)));
    const window = Array.from({ length: tokens }, (_, token) => (token * 37) % shape.vocabulary);
    let result: Omit<Streamed, 'liveTensors'>;
    {
      using open = new OpenModel(runtime, checkpoint, { residentBytes: 0 });
      const { layers, loss, kernelBytes } = await importance(open.programs, open.store, [window], {
        structuresOf: open.structuresOf,
        activationBytes: 0,
      });
      const tensors = tensorsOf(shape);
      const sizeOf = (part: string) =>
        4 * tensors.filter(([name]) => name.includes(part)).reduce((sum, [, each]) => sum + elements(each), 0);
      result = {
        fileBytes: checkpoint.byteLength,
        weightBytes: sizeOf(''),
        layerBytes: sizeOf('layers.0.'),
        peakBytes: runtime.statistics().peakBytes + kernelBytes,
        scoredLayers: layers.filter(({ mlp }) => mlp['element-first']?.length === shape.neurons).length,
        loss,
      };
    }
    return { ...result, liveTensors: runtime.statistics().liveTensors };
  },
  delete: (shape: Shape) => store.delete(key(shape)),
};

export type StreamingWorker = typeof worker;
expose(worker);
