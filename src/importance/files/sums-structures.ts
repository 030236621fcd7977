import { elementCount } from '../../arrays.ts';
import type { ByteSource } from '../../checkpoint/checkpoint.ts';
import type { SafetensorsEntry } from '../../checkpoint/formats/safetensors/safetensors.ts';
import { FileFormatError } from '../../errors.ts';
import { type CoupledStructure, type MemberSlice, MODULES } from '../structures/structures.ts';
import type { LayerLayout } from '../sums/sum-table.ts';
import { fields } from './score-fields.ts';

const REMEDY = 'Score it again.';

/**
 * How sums of channels fold into groups, as a file of sums says it: the metadata "structures", and the tensors `structures.{k}.{kind}.{weight}` [channels], I32, the group of each channel, once
 * for all layers that share them.
 */
export function describeLayouts(layouts: readonly LayerLayout[]): {
  readonly metadata: string;
  readonly tensors: readonly { readonly name: string; readonly data: Int32Array }[];
} {
  const kinds: LayerLayout[] = [];
  const texts: string[] = [];
  const kindOfLayer = layouts.map((layout) => {
    const text = textOf(layout);
    const known = texts.indexOf(text);
    if (known >= 0) return known;
    texts.push(text);
    return kinds.push(layout) - 1;
  });
  const described = kinds.map(({ structures, shapeOf }) =>
    structures.map(({ kind, groups, parametersPerGroup, members }) => ({
      kind,
      groups,
      parametersPerGroup,
      members: members.map(({ weight, axis }) => ({ weight, axis, shape: shapeOf(weight) })),
    })),
  );
  return {
    metadata: JSON.stringify({ kinds: described, layers: kindOfLayer }),
    tensors: kinds.flatMap(({ structures }, index) =>
      structures.flatMap(({ kind, members }) =>
        members.map(({ weight, groupOfChannel }) => ({
          name: `structures.${index}.${kind}.${weight}`,
          data: groupOfChannel,
        })),
      ),
    ),
  };
}

function textOf({ structures, shapeOf }: LayerLayout): string {
  return JSON.stringify(
    structures.map(({ members, ...rest }) => [
      rest,
      members.map(({ groupOfChannel, ...member }) => [member, shapeOf(member.weight), [...groupOfChannel]]),
    ]),
  );
}

/** The layout of each of `layers` layers. Throws FileFormatError naming the file, the field or tensor and what is expected. */
export async function parseLayouts(
  value: unknown,
  layers: number,
  source: ByteSource,
  entries: ReadonlyMap<string, SafetensorsEntry>,
): Promise<readonly LayerLayout[]> {
  const file = source.name;
  const { record } = fields(value, 'structures', file);
  const { kinds, layers: kindOfLayer } = record;
  if (!Array.isArray(kinds) || !Array.isArray(kindOfLayer) || kindOfLayer.length !== layers)
    throw new FileFormatError(
      `${file}: the metadata "structures" must list kinds, and one of them for each of ${layers} layers. ${REMEDY}`,
    );
  const parsed = await Promise.all(
    kinds.map((structures: unknown, index) => parseKind(structures, index, source, entries)),
  );
  return kindOfLayer.map((index: unknown, layer) => {
    const found = typeof index === 'number' ? parsed[index] : undefined;
    if (!found)
      throw new FileFormatError(
        `${file}: structures.layers[${layer}] is ${JSON.stringify(index)}; there are ${parsed.length} kinds. ${REMEDY}`,
      );
    return found;
  });
}

async function parseKind(
  value: unknown,
  index: number,
  source: ByteSource,
  entries: ReadonlyMap<string, SafetensorsEntry>,
): Promise<LayerLayout> {
  const file = source.name;
  const path = `structures.kinds[${index}]`;
  if (!Array.isArray(value)) throw new FileFormatError(`${file}: ${path} is no list. ${REMEDY}`);
  const shapes = new Map<string, readonly number[]>();
  const structures: CoupledStructure[] = [];
  for (const part of value as unknown[]) {
    const { text, count, record } = fields(part, path, file);
    const kind = text('kind');
    const known = MODULES.find((module) => module === kind);
    if (!known)
      throw new FileFormatError(
        `${file}: ${path}.kind is "${kind}"; it must be one of ${MODULES.join(', ')}. ${REMEDY}`,
      );
    if (!Array.isArray(record.members)) throw new FileFormatError(`${file}: ${path}.members is no list. ${REMEDY}`);
    const groups = count('groups');
    const members: MemberSlice[] = [];
    for (const member of record.members as unknown[]) {
      const read = fields(member, `${path}.members`, file);
      const [weight, axis] = [read.text('weight'), read.count('axis')];
      const groupOfChannel = await readGroups(source, entries, `structures.${index}.${kind}.${weight}`, groups);
      shapes.set(weight, parseShape(read.record.shape, axis, groupOfChannel.length, `${path} of "${weight}"`, file));
      members.push({ weight, axis, groupOfChannel });
    }
    structures.push({ kind: known, groups, parametersPerGroup: count('parametersPerGroup'), members });
  }
  return { structures, shapeOf: (weight) => shapes.get(weight) ?? [] };
}

function parseShape(value: unknown, axis: number, channels: number, path: string, file: string): readonly number[] {
  const shape = Array.isArray(value) ? (value as unknown[]) : [];
  const sizes = shape.filter((size): size is number => Number.isSafeInteger(size) && (size as number) > 0);
  const fits = sizes.length === shape.length && sizes.length >= 1 && sizes.length <= 3 && sizes[axis] === channels;
  if (!fits || !Number.isSafeInteger(elementCount(sizes)))
    throw new FileFormatError(
      `${file}: the shape in ${path} is ${JSON.stringify(value) ?? 'missing'}; one to three sizes, ${channels} at place ${axis}, are expected. ${REMEDY}`,
    );
  return sizes;
}

async function readGroups(
  source: ByteSource,
  entries: ReadonlyMap<string, SafetensorsEntry>,
  name: string,
  groups: number,
): Promise<Int32Array> {
  const entry = entries.get(name);
  if (entry?.info.storage !== 'I32')
    throw new FileFormatError(`${source.name} has no tensor "${name}" of type I32. ${REMEDY}`);
  const values = new Int32Array((await source.read(entry.start, entry.end)).slice().buffer);
  const wrong = values.findIndex((group) => group < -1 || group >= groups);
  if (wrong >= 0)
    throw new FileFormatError(
      `${source.name}: "${name}" puts channel ${wrong} into group ${values[wrong]} of ${groups}. ${REMEDY}`,
    );
  return values;
}
