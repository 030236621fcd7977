import { describe, expect, it } from 'vitest';
import { evaluate, expectClose, numbersOf, testRuntime } from '../../operators/testing/finite-differences.ts';
import { tensor } from '../../operators/testing/host-tensors.ts';
import { type TestBlock, testBlock } from '../../passes/testing/block.ts';
import { randomFeeds } from '../../passes/testing/feeds.ts';
import type { HostTensor } from '../../runtime/runtime.ts';
import { discover } from './discovery.ts';
import type { MemberSlice } from './structures.ts';

const SIZES: TestBlock = {
  hiddenSize: 12,
  headDimension: 4,
  repeat: 2,
  keyValueHeads: 3,
  neurons: 5,
  dataType: 'float64',
};
const RUN = { batch: 2, tokens: 3 };

/** Keeps, or with `zero` clears, what does not belong to `group` along the member's axis of a weight [rows] or [rows, columns]. */
function without(
  weight: HostTensor,
  { axis, groupOfChannel }: MemberSlice,
  group: number,
  action: 'slice' | 'zero',
): HostTensor {
  const columns = weight.shape[1] ?? 1;
  const values = Array.from(weight.data as Float64Array);
  const isRemoved = (index: number) =>
    groupOfChannel[axis === 0 ? Math.floor(index / columns) : index % columns] === group;
  if (action === 'zero') {
    return tensor(
      weight.dataType,
      weight.shape,
      values.map((value, index) => (isRemoved(index) ? 0 : value)),
    );
  }
  const kept = values.filter((_, index) => !isRemoved(index));
  const size = groupOfChannel.filter((owner) => owner !== group).length;
  return tensor(weight.dataType, weight.shape.with(axis, size), kept);
}

describe('removing a discovered group', () => {
  const variants: readonly { name: string; options: Partial<TestBlock> }[] = [
    { name: 'grouped-query', options: {} },
    { name: 'multi-head', options: { repeat: 1 } },
    { name: 'biases and head norms', options: { bias: true, headNorm: true } },
    { name: 'fused projections with biases', options: { fusedQkv: true, fusedGateUp: true, bias: true } },
    { name: 'without a gate', options: { gated: false } },
  ];
  const cases = variants.flatMap((variant) =>
    [0, 1].map((which) => ({ ...variant, which, kind: which === 0 ? 'key/value head' : 'neuron' })),
  );

  it.each(cases)(
    '$name: a block without one $kind computes what the full block does with its output columns cleared, whichever it is',
    async ({ options, which }) => {
      const full = testBlock({ ...SIZES, ...options });
      const narrow = testBlock({ ...SIZES, ...options, ...(which === 0 ? { keyValueHeads: 2 } : { neurons: 4 }) });
      const members = discover(full.graph, full.weights, full.bindings).structures[which]?.members ?? [];
      const groups = discover(full.graph, full.weights, full.bindings).structures[which]?.groups ?? 0;
      expect(groups).toBe(which === 0 ? 3 : 5);
      const runtime = await testRuntime();
      using fullSession = await runtime.createSession(full.graph, { optimization: 'basic' });
      using narrowSession = await runtime.createSession(narrow.graph, { optimization: 'basic' });
      for (let group = 0; group < groups; group++) {
        const feeds = randomFeeds(full.graph, RUN, 7 + group);
        const sliced = { ...feeds };
        const cleared = { ...feeds };
        for (const member of members) {
          const weight = feeds[member.weight] as HostTensor;
          sliced[member.weight] = without(weight, member, group, 'slice');
          if (member.axis === 1) cleared[member.weight] = without(weight, member, group, 'zero');
        }
        const expected = numbersOf(await evaluate(runtime, fullSession, cleared), 'output');
        expectClose(
          numbersOf(await evaluate(runtime, narrowSession, sliced), 'output'),
          expected,
          1e-12,
          `output of the block without group ${group}`,
        );
      }
    },
  );
});
