import { execFile } from 'node:child_process';
import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Checkpoint } from '../src/checkpoint/checkpoint.ts';

export interface PyTorchRun {
  readonly seconds: number;
  /** Of the metrics without weight gradients alone. */
  readonly fastSeconds: number;
  readonly forwardSeconds: number;
  readonly loss: number;
}

const run = promisify(execFile);

/** Runs bench/score_pytorch.py on a model's weights in float32, whatever format they came in: they are written to `folder` once. */
export async function pyTorchScorer(
  python: string,
  checkpoint: Checkpoint,
  windows: readonly ArrayLike<number>[],
  threads: number,
  folder: string,
): Promise<() => Promise<PyTorchRun>> {
  const ids = join(folder, 'windows.json');
  await writeFile(ids, JSON.stringify(windows.map((window) => Array.from(window))));
  await writeFile(join(folder, 'config.json'), JSON.stringify({ ...checkpoint.config, torch_dtype: 'float32' }));
  await writeWeights(checkpoint, join(folder, 'model.safetensors'));
  return async () => {
    const { stdout } = await run(python, ['bench/score_pytorch.py', folder, ids, '--threads', String(threads)]);
    return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as PyTorchRun;
  };
}

/** One tensor in memory at a time. */
async function writeWeights(checkpoint: Checkpoint, path: string): Promise<void> {
  const header: Record<string, unknown> = { __metadata__: { format: 'pt' } };
  let offset = 0;
  for (const [name, { shape }] of checkpoint.tensors) {
    const end = offset + shape.reduce((product, size) => product * size, Float32Array.BYTES_PER_ELEMENT);
    header[name] = { dtype: 'F32', shape, data_offsets: [offset, end] };
    offset = end;
  }
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  const file = await open(path, 'w');
  try {
    await file.writeFile(Buffer.concat([length, json]));
    for (const name of checkpoint.tensors.keys()) {
      const values = await checkpoint.read(name);
      await file.writeFile(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    }
  } finally {
    await file.close();
  }
}
