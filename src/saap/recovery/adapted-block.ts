import { UnsupportedError } from '../../errors.ts';
import { float, GraphBuilder } from '../../onnx/builder.ts';
import type { Dimension, Graph, Node } from '../../onnx/graph.ts';
import { differentiate } from '../../passes/differentiate.ts';

/** The linear layers of a block that are adapted, by their program inputs. */
export const ADAPTED_WEIGHTS = ['attention.query', 'attention.key', 'attention.value', 'attention.output', 'mlp.gate', 'mlp.up', 'mlp.down'] as const;

/** Program inputs of an adapter: A [rank, groups] and B [outputs, rank]. */
export const adapterInputs = (weight: string) => ({ down: `${weight}/down`, up: `${weight}/up` });

export interface AdapterGraphOptions {
  /** s = scale / rank. */
  readonly strength: number;
  /** Whether adapters read the means of groups of inputs; else the inputs themselves. */
  readonly pooled: boolean;
  /** Whether what adapters read is multiplied by masks. */
  readonly dropout: boolean;
}

/** One value that adapters read: layers with the same input share pooling and mask. */
export interface AdapterSite {
  /** The first weight that reads the value; names the mask. */
  readonly weight: string;
  /** Its channels in the block program. */
  readonly width: Dimension;
}

/** Program inputs of a site. Widths that are equal in every layer share a pooling matrix [groups, width]. */
export const siteInputs = ({ weight, width }: AdapterSite) => ({ pool: `pool/${width}`, mask: `mask/${weight}` });

/** The values that adapters of a block read, in the order of the block. */
export function adapterSites(block: Graph): AdapterSite[] {
  const sites = new Map<string, AdapterSite>();
  for (const node of block.nodes) {
    const weight = adaptedWeight(block, node);
    const [input = ''] = node.inputs;
    if (weight && !sites.has(input)) sites.set(input, { weight, width: widthOf(block, weight) });
  }
  return [...sites.values()];
}

/**
 * The block with adapters: y = W x + s B A (mask * pool(x)) in place of y = W x for every adapted weight. Inputs beside the block's: `<weight>/down`,
 * `<weight>/up`, with `pooled` `pool/<width>`, with `dropout` `mask/<weight>` [batch, tokens, groups] of each site.
 * Throws UnsupportedError for a weight that anything but one Gemm reads.
 */
export function adaptedBlock(block: Graph, { strength, pooled, dropout }: AdapterGraphOptions): Graph {
  const builder = new GraphBuilder('adapted block', { ...block, nodes: [] });
  const sites = adapterSites(block);
  const groups = ({ width }: AdapterSite): Dimension => (pooled ? `groups of ${width}` : width);
  if (pooled) for (const width of new Set(sites.map((site) => site.width))) builder.input(`pool/${width}`, 'float32', [`groups of ${width}`, width]);
  if (dropout) for (const site of sites) builder.input(siteInputs(site).mask, 'float32', ['batch', 'tokens', groups(site)]);
  const read = new Map<string, { readonly site: AdapterSite; readonly value: string }>();
  const readBy = (input: string) => {
    const known = read.get(input);
    if (known) return known;
    const site = sites[read.size] as AdapterSite;
    const { pool, mask } = siteInputs(site);
    const name = (part: string) => ({ name: `${site.weight}/${part}` });
    const value = pooled ? builder.add('Gemm', [input, pool], { transB: 1 }, name('pooled')) : input;
    const rows = () => builder.add('Reshape', [mask, builder.add('Shape', [value], {}, name('shape'))], {}, name('mask'));
    const masked = dropout ? builder.add('Mul', [value, rows()], {}, name('masked')) : value;
    const result = { site, value: masked };
    read.set(input, result);
    return result;
  };
  for (const node of block.nodes) {
    const weight = adaptedWeight(block, node);
    const [input = ''] = node.inputs;
    const [output = ''] = node.outputs;
    if (!weight) {
      builder.append(node);
      continue;
    }
    const { site, value } = readBy(input);
    const { down, up } = adapterInputs(weight);
    builder.input(down, 'float32', ['rank', groups(site)]);
    builder.input(up, 'float32', [block.inputs.find(({ name }) => name === weight)?.shape[0] ?? 'outputs', 'rank']);
    builder.append({ ...node, outputs: [`${output}/base`] });
    const lowRank = builder.add('Gemm', [value, down], { transB: 1 }, { name: `${weight}/low rank` });
    const change = builder.add('Gemm', [lowRank, up], { transB: 1, alpha: float(strength) }, { name: `${weight}/change` });
    builder.add('Add', [`${output}/base`, change], {}, { name: output });
  }
  for (const output of block.outputs) builder.output(output.name, output.dataType, output.shape);
  return builder.build(block.metadata);
}

/**
 * The backward program of the adapted block: recomputes it and gives `gradient/hidden` and the gradients of all adapters from `outputGradient`.
 * No gradient of a weight that is not trained is computed. `bindings`: example sizes of the block's symbols.
 */
export function adaptedGradient(block: Graph, options: AdapterGraphOptions, bindings: Readonly<Record<string, number>>): Graph {
  const adapted = adaptedBlock(block, options);
  const adapters = ADAPTED_WEIGHTS.flatMap((weight) => Object.values(adapterInputs(weight)));
  const sizes: Record<string, number> = { ...bindings, rank: 13 };
  let next = 17;
  for (const { width } of adapterSites(block)) sizes[`groups of ${width}`] ??= next++;
  return differentiate(adapted, { seeds: { output: 'outputGradient' }, wrt: ['hidden', ...adapters], bindings: sizes });
}

/** The adapted weight that a node multiplies by, if any. */
function adaptedWeight(block: Graph, node: Node): string | undefined {
  const weight = ADAPTED_WEIGHTS.find((name) => node.inputs.includes(name));
  if (!weight) return undefined;
  const readers = block.nodes.filter(({ inputs }) => inputs.includes(weight));
  const transposed = node.attributes.transB;
  if (node.operator === 'Gemm' && node.inputs[1] === weight && readers.length === 1 && transposed?.kind === 'int' && transposed.value === 1) return weight;
  throw new UnsupportedError(
    `The weight ${weight} is read by ${readers.map(({ operator }) => operator).join(', ')}; adapters need exactly one Gemm with transB=1.`,
  );
}

function widthOf(block: Graph, weight: string): Dimension {
  return block.inputs.find(({ name }) => name === weight)?.shape[1] ?? 'inputs';
}
