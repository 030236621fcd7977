import { afterAll, beforeAll, expect, test } from 'vitest';
import { type FixtureName, openFixture } from '../architecture/testing/fixture.ts';
import type { ExportDataType } from '../decoder/dtypes.ts';
import { VerificationError } from '../errors.ts';
import { exportPruned } from '../library/export.ts';
import { OpenModel } from '../library/open-model.ts';
import { createNodeRuntime } from '../runtime/node.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { memoryFolder } from './memory-folder.ts';

let runtime: Runtime;
beforeAll(async () => {
  runtime = await createNodeRuntime({ threads: 1 });
});
afterAll(() => runtime.dispose());

async function exported(name: FixtureName, dtype: ExportDataType) {
  const { checkpoint } = await openFixture(name);
  using open = new OpenModel(runtime, checkpoint);
  const { formats } = await exportPruned(open, { output: memoryFolder(), formats: ['onnx'], dtype });
  return formats[0]?.verification;
}

// Rounding moves tokens to other experts: in random models, whose routers are undecided, more than in trained ones.
test.each([
  ['qwen3-moe', 'q4'],
  ['gpt-oss', 'q4'],
  ['lfm2-moe', 'q8'],
] as const)('the mixture %s goes out in %s', async (name, dtype) => {
  const verification = await exported(name, dtype);
  expect(verification?.positions).toBe(256);
  expect(verification?.klDivergence).toBeLessThan(0.25);
});

test('a mixture whose routers choose otherwise in 4 bits is refused', async () => {
  await expect(exported('lfm2-moe', 'q4')).rejects.toThrow(VerificationError);
});
