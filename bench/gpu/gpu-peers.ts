import { openAsBlob } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openNamed } from '../../src/checkpoint/local.ts';
import { EXPORT_FORMATS, type ExportDataType } from '../../src/decoder/dtypes.ts';
import { diskOutput } from '../../src/export/disk.ts';
import { type Decoder, openDecoder } from '../../src/generate/decoder.ts';
import { exportPruned } from '../../src/library/export.ts';
import { OpenModel } from '../../src/library/open-model.ts';
import { createNodeRuntime } from '../../src/runtime/node.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';
import type { Lap } from '../decode-lap.ts';
import { ownLap } from '../decode-loops.ts';
import { firstGroups } from '../decode-models.ts';
import { median } from '../measure.ts';
import { type Peer, type PeerLap, startPeer } from '../peers/peer-process.ts';
import type { GpuPeer, GpuPeerResult } from './gpu-report.ts';

/** Rounds of laps. */
interface PeerRequest {
  readonly prompt: readonly number[];
  readonly newTokens: number;
  readonly rounds: number;
}

/** Built beside the benchmarks by scripts/bench.mjs. */
const TRANSFORMERS = 'node_modules/.cache/bench/peers/transformers.peer.js';
const MODEL = 'dense';

/**
 * Our loop on `runtime` against transformers.js in Node on the same exported file of the dense model, in turn. Theirs opens a device of its own, the most powerful one that there is.
 */
export async function measurePeer(
  runtime: Runtime,
  name: string,
  format: ExportDataType,
  request: PeerRequest,
): Promise<GpuPeer> {
  const folder = await mkdtemp(join(tmpdir(), 'espalier-gpu-'));
  try {
    const path = await exportedDense(name, format, folder);
    const { file } = EXPORT_FORMATS[format];
    const externalData = { [`${file}_data`]: await openAsBlob(`${path}_data`) };
    using decoder = await openDecoder(runtime, new Uint8Array(await readFile(path)), {
      externalData,
      fixedCache: true,
    });
    using peer = await startPeer(process.execPath, [TRANSFORMERS, folder, MODEL, 'webgpu']);
    return { format, result: await inTurn(decoder, peer, request) };
  } catch (error) {
    return { format, result: { failure: `transformers.js did not run: ${String(error).slice(0, 200)}` } };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The ONNX file of the dense model, made and verified on the processor: an adapter in software takes minutes for that. */
async function exportedDense(name: string, format: ExportDataType, folder: string): Promise<string> {
  using runtime = await createNodeRuntime();
  using open = new OpenModel(runtime, await openNamed(name));
  using whole = open.pruned(firstGroups(open, 0));
  await exportPruned(whole, { output: await diskOutput(join(folder, MODEL)), dtype: format, force: true });
  return join(folder, MODEL, 'onnx', EXPORT_FORMATS[format].file);
}

async function inTurn(
  decoder: Decoder,
  peer: Peer,
  { prompt, newTokens, rounds }: PeerRequest,
): Promise<GpuPeerResult> {
  const [ours, theirs]: [PeerLap[], PeerLap[]] = [[], []];
  for (let round = -1; round < rounds; round++) {
    const [own, other] = [await ownLap(decoder, prompt, newTokens), await peer.lap(prompt, newTokens)];
    if (round < 0) continue;
    ours.push(own);
    theirs.push(other);
  }
  const over = (key: keyof Lap) => median(theirs.map((lap) => lap[key])) / median(ours.map((lap) => lap[key]));
  const [own, other] = [ours[0]?.tokens ?? [], theirs[0]?.tokens ?? []];
  const differs = own.findIndex((token, index) => token !== other[index]);
  const sameTokens = differs < 0 ? own.length : differs;
  return { name: peer.name, decode: over('decode'), prefill: over('prefill'), sameTokens, tokens: own.length };
}
