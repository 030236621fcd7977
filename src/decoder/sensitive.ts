import type { Model } from '../architecture/model.ts';
import type { ExportDataType } from './dtypes.ts';
import { hasGrids } from './group-blocks.ts';

/** Of the layers that have an MLP, those at the start and at the end whose down projections are sensitive: about one of so many, and the last in any case. */
const FIRST_LAYERS = 16;
const LAST_LAYERS = 8;

/**
 * The tensors of the blocks that q4 stores in 8 bits, since they cost much and are few: the projections of values, and the down projections of the first sixteenth and the last eighth of the layers
 * (docs/results.md, "Rounding to 4 bits"). Those that lie on grids of 4 bits already stay there, and so do values that share a tensor with queries and keys.
 */
export function sensitiveTensors(
  { architecture, checkpoint }: Model,
  dataType: ExportDataType | undefined,
): ReadonlySet<string> {
  if (dataType !== 'q4') return new Set();
  const layers = [...architecture.config.layerWidths.entries()].filter(([, { neurons }]) => neurons > 0);
  const first = Math.round(layers.length / FIRST_LAYERS);
  const last = layers.length - Math.max(1, Math.round(layers.length / LAST_LAYERS));
  const down = new Set(layers.filter((_, index) => index < first || index >= last).map(([layer]) => layer));
  const chosen = architecture.config.layerWidths.flatMap((_, layer) =>
    architecture
      .blockWeights(layer)
      .filter(({ input, rows }) => !rows && (input === 'attention.value' || (input === 'mlp.down' && down.has(layer)))),
  );
  return new Set(chosen.map(({ tensor }) => tensor).filter((tensor) => !hasGrids(checkpoint, tensor, 4)));
}

/** The tensors that a format stores in the bits of its tables: embedding, output matrix, and what is sensitive. */
export function tensorsInTableBits(model: Model, dataType: ExportDataType): readonly string[] {
  const { architecture } = model;
  const tables = [...architecture.embedWeights(), ...architecture.headWeights()].map(({ tensor }) => tensor);
  return [...tables, ...sensitiveTensors(model, dataType)];
}

/** A sentence on what is sensitive, and its share; undefined where nothing is. */
export function sensitiveNote(model: Model, dataType: ExportDataType): string | undefined {
  const sensitive = sensitiveTensors(model, dataType);
  if (sensitive.size === 0) return undefined;
  const { architecture, checkpoint } = model;
  const matrices = new Map(
    architecture.config.layerWidths
      .flatMap((_, layer) => architecture.blockWeights(layer))
      .map(({ tensor }) => [tensor, checkpoint.tensors.get(tensor)?.shape ?? []]),
  );
  let [all, inBytes] = [0, 0];
  for (const [tensor, shape] of matrices) {
    const size = shape.length < 2 ? 0 : shape.reduce((product, length) => product * length, 1);
    all += size;
    if (sensitive.has(tensor)) inBytes += size;
  }
  return `${sensitive.size} matrices that cost accuracy most, ${((100 * inBytes) / all).toFixed(1)}% of the blocks' weights, are in 8 bits: the projections of values, and the down projections of the first and last layers.`;
}
