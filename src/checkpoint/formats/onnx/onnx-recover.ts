import { UnsupportedError } from '../../../errors.ts';
import type { Graph, Node } from '../../../onnx/graph.ts';
import { parseWeightNames, type WeightLayout } from '../../../onnx/weight-names.ts';
import type { JsonRecord } from '../../files/json.ts';
import { gemmaNorms, scalesItsEmbedding } from './onnx-gemma.ts';
import { initializerOf, type OnnxStorage, type OnnxTensor } from './onnx-matrix.ts';
import { moduleOf, TABLES, TURNED, tensorOf } from './onnx-names.ts';

/**
 * Finds a model's weights in its decoder graph, whoever exported it: our own exports name them, Optimum names nodes after modules, ONNX Runtime GenAI's
 * builder names both and packs query, key and value. Returns them under their canonical names.
 * Throws UnsupportedError when the graph's names say too little.
 */
export function recoverTensors(graph: Graph, config: JsonRecord, file: string): Map<string, OnnxTensor> {
  const isOurs = [...graph.initializers.keys()].some(
    (name) => /\.(transposed|quantised)$/.test(name) && parseWeightNames(name) !== undefined,
  );
  const found = isOurs ? recoverOwn(graph, config) : recoverForeign(graph, config, file);
  if (![...found].some(([name, { shape }]) => /\.(layers|h)\.\d+\..*\.weight$/.test(name) && shape.length === 2)) {
    const quantised = graph.nodes.find(({ operator }) => QUANTISED.includes(operator));
    if (quantised)
      throw new UnsupportedError(
        `${file} is quantised to 8-bit integers by the operator ${quantised.operator}, which is not read. Take the same model in float32, half precision or 4 bits (MatMulNBits).`,
      );
    throw new UnsupportedError(
      `${file} does not say which module its weights belong to (neither nodes nor tensors are named after modules). Take the model's safetensors or GGUF.`,
    );
  }
  return new Map([...found, ...leftOver(graph, found)]);
}

/** Constants that exporters compute: rotary tables, masks. */
const COMPUTED = /cos|sin|rotary|inv_freq|mask|^length\.\d+$/i;

/** Numbers of the graph that belong to no weight, under their own names, so that they are named as ones that nobody reads. */
function leftOver(graph: Graph, found: ReadonlyMap<string, OnnxTensor>): [string, OnnxTensor][] {
  const used = new Set(
    [...found.values()].flatMap(({ parts }) =>
      parts.flatMap(({ storage }) =>
        storage.kind === 'blocks'
          ? [storage.name, storage.scales, storage.zeroPoints, storage.remainders]
          : [storage.name],
      ),
    ),
  );
  const constants = new Set(graph.nodes.flatMap(({ operator, outputs }) => (operator === 'Constant' ? outputs : [])));
  return [...graph.initializers].flatMap(([name, { dataType, shape }]) => {
    const isWeight = dataType.startsWith('float') && shape.reduce((product, size) => product * size, 1) > 1;
    if (!isWeight || used.has(name) || constants.has(name) || found.has(name) || COMPUTED.test(name)) return [];
    const rows = shape[0] ?? 1;
    const part = { storage: { kind: 'plain' as const, name }, firstRow: 0, rows, storedRows: rows };
    return [[name, { name, shape, parts: [part], offset: 0 }]];
  });
}

/** A graph whose weights stand in Constant nodes, as some simplifiers write them, with all of them as initializers. */
export function withConstants(graph: Graph): Graph {
  const initializers = new Map(graph.initializers);
  for (const { operator, attributes, outputs } of graph.nodes)
    if (operator === 'Constant' && attributes.value?.kind === 'tensor' && outputs[0])
      initializers.set(outputs[0], attributes.value.value);
  return { ...graph, initializers };
}

/** Operators of weights in 8-bit codes that are multiplied as they are, or unpacked before. */
const QUANTISED = ['MatMulInteger', 'DynamicQuantizeMatMul', 'QLinearMatMul', 'QGemm', 'DequantizeLinear'];

function recoverForeign(graph: Graph, config: JsonRecord, file: string): Map<string, OnnxTensor> {
  const isGemma = String(config.model_type).startsWith('gemma');
  if (isGemma && !scalesItsEmbedding(graph))
    throw new UnsupportedError(
      `${file} is a Gemma model whose graph does not scale what it looks up, so that its embedding may be stored scaled. Take the model's safetensors or GGUF.`,
    );
  const found = new Map<string, OnnxTensor>();
  const constants = constantsOf(graph);
  const add = (tensor: Found) => {
    for (const part of unpack(tensor, config)) if (!found.has(part.name)) found.set(part.name, part);
  };
  if (isGemma) for (const norm of gemmaNorms(graph, constants)) found.set(norm.name, norm);
  for (const node of graph.nodes) for (const tensor of matricesOf(node, constants, graph)) add(tensor);
  for (const [alias, name] of constants) {
    const canonical = tensorOf(alias);
    const { shape } = initializerOf(graph.initializers, name);
    if (canonical && (shape.length === 1 || TABLES.has(canonical.replace(/\.weight$/, ''))))
      add({ name: canonical, shape, storage: { kind: 'plain', name } });
  }
  return found;
}

interface Found {
  readonly name: string;
  readonly shape: readonly number[];
  readonly storage: OnnxStorage;
}

/** Names of constants and of plain copies of them (exporters store equal weights once) to the initializer that holds them. */
function constantsOf(graph: Graph): Map<string, string> {
  const constants = new Map<string, string>([...graph.initializers.keys()].map((name) => [name, name]));
  for (const { operator, inputs, outputs } of graph.nodes) {
    const [input = '', output = ''] = [inputs[0], outputs[0]];
    const source = operator === 'Identity' || operator === 'Cast' ? constants.get(input) : undefined;
    if (source !== undefined) constants.set(output, source);
  }
  return constants;
}

/** Rows of a tensor, from `start` on, and where they lie: from `firstRow` on in what is stored. */
interface Piece {
  readonly start: number;
  readonly offset: number;
  readonly found: Found;
  readonly firstRow: number;
  readonly rows: number;
}

/** Our own exports: the name says everything. A fused tensor lies in several pieces of rows; query, key and value may be stacked into one. */
function recoverOwn(graph: Graph, config: JsonRecord): Map<string, OnnxTensor> {
  const quantised = new Map(
    graph.nodes.filter(({ operator }) => operator === 'MatMulNBits').map((node) => [node.inputs[1], nBits(node)]),
  );
  const pieces = new Map<string, Piece[]>();
  for (const [name, { shape }] of graph.initializers) {
    const stacked = parseWeightNames(name);
    const layout = stacked?.[0]?.layout;
    if (!stacked || layout === undefined || layout === 'scales' || layout === 'zero_points' || layout === 'remainders')
      continue;
    const remainders = name.replace(/\.quantised$/, '.remainders');
    const found = ownPiece(
      name,
      layout,
      shape,
      quantised.get(name),
      config,
      graph.initializers.has(remainders) ? remainders : undefined,
    );
    let firstRow = 0;
    for (const { tensor, rows, offset = 0 } of stacked) {
      const count = stacked.length > 1 && rows ? rows.end - rows.start : (found.shape[0] ?? 1);
      const list = pieces.get(tensor) ?? [];
      list.push({ start: rows?.start ?? 0, offset, found, firstRow, rows: count });
      pieces.set(tensor, list);
      firstRow += count;
    }
  }
  const tensors = new Map<string, OnnxTensor>();
  for (const [name, list] of pieces) {
    list.sort((a, b) => a.start - b.start);
    const parts = list.map(({ found, firstRow, rows }) => ({
      storage: found.storage,
      firstRow,
      rows,
      storedRows: found.shape[0] ?? 1,
    }));
    const rows = parts.reduce((sum, part) => sum + part.rows, 0);
    tensors.set(name, {
      name,
      shape: [rows, ...(list[0]?.found.shape.slice(1) ?? [])],
      parts,
      offset: list[0]?.offset ?? 0,
    });
  }
  return tensors;
}

function ownPiece(
  name: string,
  layout: WeightLayout,
  shape: readonly number[],
  blocks: ReturnType<typeof nBits> | undefined,
  config: JsonRecord,
  remainders?: string,
): Found {
  if (layout === 'transposed') return { name, shape: [...shape].reverse(), storage: { kind: 'transposed', name } };
  if (layout !== 'quantised') return { name, shape, storage: { kind: 'plain', name } };
  const base = name.replace(/\.quantised$/, '');
  const parts = {
    kind: 'blocks' as const,
    name,
    scales: `${base}.scales`,
    zeroPoints: `${base}.zero_points`,
    ...(remainders && { remainders }),
  };
  if (blocks)
    return {
      name,
      shape: [blocks.outputs, blocks.inputs],
      storage: { ...parts, bits: blocks.bits, block: blocks.block },
    };
  // Only looked up, never multiplied by: an embedding that is not tied, in blocks of 32 bytes.
  return {
    name,
    shape: [shape[0] ?? 0, typeof config.hidden_size === 'number' ? config.hidden_size : 0],
    storage: { ...parts, bits: 8, block: shape[2] ?? 32 },
  };
}

function nBits(node: Node): {
  readonly outputs: number;
  readonly inputs: number;
  readonly bits: 4 | 8;
  readonly block: number;
} {
  const number = (key: string, fallback: number) => {
    const attribute = node.attributes[key];
    return attribute?.kind === 'int' ? attribute.value : fallback;
  };
  const bits = number('bits', 4);
  if (bits !== 4 && bits !== 8)
    throw new UnsupportedError(`The node ${node.name} holds weights of ${bits} bits; 4 and 8 are read.`);
  return { outputs: number('N', 0), inputs: number('K', 0), bits, block: number('block_size', 32) };
}

/** The weight that a node multiplies by, where the node or the weight names a module. */
function matricesOf(node: Node, constants: ReadonlyMap<string, string>, graph: Graph): Found[] {
  const { operator, inputs } = node;
  const weight = inputs.map((input) => constants.get(input));
  const named = (name: string | undefined) => {
    const own = name === undefined ? undefined : tensorOf(name.replace(/\.(weight)_(Q\d+|quant)$/, '.$1'));
    const module = moduleOf(node.name);
    return own ?? (module && `${module}.weight`);
  };
  if (operator === 'MatMulNBits' && weight[1] !== undefined && weight[2] !== undefined) {
    const name = named(weight[1]);
    if (inputs[4])
      throw new UnsupportedError(
        `The node ${node.name} reorders its weights (g_idx), which is not read. Take the model's safetensors or GGUF.`,
      );
    const { outputs, inputs: columns, bits, block } = nBits(node);
    return name
      ? [
          {
            name,
            shape: [outputs, columns],
            storage: { kind: 'blocks', name: weight[1], scales: weight[2], zeroPoints: weight[3], bits, block },
          },
        ]
      : [];
  }
  if (operator === 'MatMul' && weight[1] !== undefined) return matrix(named(weight[1]), weight[1], graph, true);
  if (operator === 'Gemm' && weight[1] !== undefined) {
    const { transB } = node.attributes;
    const isPlain = transB?.kind === 'int' && transB.value === 1;
    const bias = weight[2] === undefined ? [] : biasOf(node, weight[2], graph);
    const isTurned = !isPlain && !TURNED.test(weight[1]);
    return [...matrix(named(weight[1]), weight[1], graph, isTurned), ...bias];
  }
  const module = moduleOf(node.name);
  if (operator === 'Gather' && weight[0] !== undefined && module !== undefined && TABLES.has(module))
    return matrix(`${module}.weight`, weight[0], graph, false);
  // Turned for a MatMul, the weight itself is as in the checkpoint; turned for anything else (a tied embedding's look-up) it may be either.
  if (operator === 'Transpose' && weight[0] !== undefined && isMultipliedBy(node.outputs[0], graph))
    return matrix(tensorOf(weight[0]), weight[0], graph, false);
  if (operator === 'Add') return weight.flatMap((name) => (name === undefined ? [] : biasOf(node, name, graph)));
  return [];
}

function isMultipliedBy(value: string | undefined, graph: Graph): boolean {
  return graph.nodes.some(({ operator, inputs }) => operator === 'MatMul' && inputs[1] === value);
}

function matrix(name: string | undefined, initializer: string, graph: Graph, isTransposed: boolean): Found[] {
  const { shape } = initializerOf(graph.initializers, initializer);
  if (name === undefined || shape.length !== 2) return [];
  return [
    isTransposed
      ? { name, shape: [...shape].reverse(), storage: { kind: 'transposed', name: initializer } }
      : { name, shape, storage: { kind: 'plain', name: initializer } },
  ];
}

function biasOf(node: Node, initializer: string, graph: Graph): Found[] {
  const module = moduleOf(node.name);
  const { shape } = initializerOf(graph.initializers, initializer);
  if (!module?.endsWith('_proj') || shape.length !== 1) return [];
  return [{ name: `${module}.bias`, shape, storage: { kind: 'plain', name: initializer } }];
}

/** Query, key and value packed into one projection become three, unless the architecture itself has them so (Phi-3). */
function unpack({ name, shape, storage }: Found, config: JsonRecord): OnnxTensor[] {
  const [rows = 0, ...rest] = shape;
  const whole: OnnxTensor = { name, shape, parts: [{ storage, firstRow: 0, rows, storedRows: rows }], offset: 0 };
  if (!name.includes('.qkv_proj.') || config.model_type === 'phi3') return [whole];
  const sizes = projectionSizes(config);
  if (!sizes || sizes.query + 2 * sizes.keyValue !== rows) return [whole];
  const part = (letter: string, firstRow: number, count: number): OnnxTensor => ({
    name: name.replace('.qkv_proj.', `.${letter}_proj.`),
    shape: [count, ...rest],
    parts: [{ storage, firstRow, rows: count, storedRows: rows }],
    offset: 0,
  });
  return [
    part('q', 0, sizes.query),
    part('k', sizes.query, sizes.keyValue),
    part('v', sizes.query + sizes.keyValue, sizes.keyValue),
  ];
}

function projectionSizes(config: JsonRecord): { readonly query: number; readonly keyValue: number } | undefined {
  const {
    num_attention_heads: heads,
    num_key_value_heads: keyValueHeads = heads,
    hidden_size: hiddenSize,
    head_dim: dimension,
  } = config;
  if (typeof heads !== 'number' || typeof keyValueHeads !== 'number' || typeof hiddenSize !== 'number' || heads <= 0)
    return undefined;
  const headDimension = typeof dimension === 'number' ? dimension : hiddenSize / heads;
  return { query: heads * headDimension, keyValue: keyValueHeads * headDimension };
}
