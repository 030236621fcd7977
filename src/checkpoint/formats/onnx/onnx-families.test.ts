import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { canonicalCheckpoint } from '../../../architecture/index.ts';
import { modelOf } from '../../../architecture/model.ts';
import { openFixture, relativeDifference } from '../../../architecture/testing/fixture.ts';
import { diskFolder } from '../../files/disk.ts';
import { openCheckpoint } from '../../folder.ts';

/** The tiny models of src/architecture/fixtures as PyTorch's tracing exporter writes them, which Optimum uses (scripts/fixtures/make_onnx.py). */
const NAMES = ['gpt2', 'opt', 'pythia', 'phi', 'gemma', 'olmo2'] as const;

test.each(NAMES)('%s as another exporter writes it has the weights that were exported', async (name) => {
  const path = fileURLToPath(new URL(`../../fixtures/onnx/traced-${name}`, import.meta.url));
  const found = canonicalCheckpoint(await openCheckpoint(await diskFolder(path)));
  const { checkpoint } = await openFixture(name);
  expect([...found.tensors.keys()].sort()).toEqual([...checkpoint.tensors.keys()].sort());
  for (const [tensor, { shape }] of checkpoint.tensors) {
    expect(found.tensors.get(tensor)?.shape, tensor).toEqual(shape);
    // Gemma's norms were stored with one added, which rounds them.
    const allowed = name === 'gemma' && tensor.endsWith('norm.weight') ? 1e-6 : 0;
    expect(relativeDifference(await found.read(tensor), await checkpoint.read(tensor)), tensor).toBeLessThanOrEqual(
      allowed,
    );
  }
  const [other, own] = [modelOf(found).architecture, modelOf(checkpoint).architecture];
  expect(other.config).toEqual(own.config);
  expect(other.design).toEqual(own.design);
});
