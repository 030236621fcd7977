import { FileFormatError } from '../../errors.ts';
import type { CoupledStructure } from '../structures/structures.ts';
import type { LayerPartial } from '../sums/shards.ts';

/** What a sum is about, by the part of its name before '/'. */
const OWNERS: Readonly<Record<string, 'structure' | 'groups' | 'channels' | 'weights' | 'one'>> = {
  signed: 'groups',
  'signed-squares': 'groups',
  'joint-squares': 'structure',
  absolute: 'structure',
  'absolute-squares': 'structure',
  'second-channels': 'channels',
  first: 'weights',
  second: 'weights',
  'input-sum': 'channels',
  'input-squares': 'channels',
  'magnitude-l1': 'structure',
  'magnitude-l2': 'structure',
  'column-absolute': 'channels',
  'column-squares': 'channels',
  outputs: 'one',
  cosine: 'one',
};

/** Throws FileFormatError naming `file` where a sum of a layer is of no known kind, belongs to nothing, or has another length than its structure says. */
export function checkLayerPartial(
  { sums, constants }: LayerPartial,
  structures: readonly CoupledStructure[],
  layer: number,
  file: string,
): void {
  for (const [name, values] of [...sums, ...constants]) {
    const [kind = '', ...rest] = name.split('/');
    const expected = expectedLength(kind, rest.join('/'), structures);
    const fits =
      expected !== undefined &&
      (OWNERS[kind] === 'weights' ? expected > 0 && values.length % expected === 0 : values.length === expected);
    if (!fits) {
      const wanted =
        expected === undefined
          ? 'the layer has no such sum'
          : `${OWNERS[kind] === 'weights' ? 'a multiple of ' : ''}${expected} are expected`;
      throw new FileFormatError(
        `${file}: "${name}" of layer ${layer} has ${values.length} numbers; ${wanted}. Score this shard again.`,
      );
    }
  }
}

function expectedLength(kind: string, owner: string, structures: readonly CoupledStructure[]): number | undefined {
  const what = Object.hasOwn(OWNERS, kind) ? OWNERS[kind] : undefined;
  if (kind === 'cosine') return 1;
  if (what === 'structure') return structures.find((structure) => structure.kind === owner)?.groups;
  for (const { groups, members } of structures) {
    const member = members.find(({ weight }) => weight === owner);
    if (member) return what === 'one' ? 1 : what === 'groups' ? groups : what && member.groupOfChannel.length;
  }
  return undefined;
}
