import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { openNamed } from '../src/checkpoint/local.ts';
import { EXPORT_FORMATS } from '../src/decoder/dtypes.ts';
import { diskOutput } from '../src/export/disk.ts';
import { openDecoder } from '../src/generate/decoder.ts';
import { exportPruned } from '../src/library/export.ts';
import { OpenModel } from '../src/library/open-model.ts';
import { createNodeRuntime } from '../src/runtime/node.ts';
import type { Runtime } from '../src/runtime/runtime.ts';
import { ownLap } from './decode-loops.ts';
import { benchPrompt, firstGroups } from './decode-models.ts';
import { median } from './measure.ts';
import { type Peer, type PeerLap, startPeer } from './peers/peer-process.ts';

/** The GGUF storage that stands beside a number format of ours. */
const GGUF_TYPE = { f32: 'F32', q4: 'Q4_1' } as const;

type PeerFormat = keyof typeof GGUF_TYPE;

/** One program with the bytes of its model, and the laps that it ran. */
interface Contestant {
  readonly name: string;
  readonly bytes: number;
  readonly lap: (prompt: readonly number[], newTokens: number) => Promise<PeerLap>;
  readonly laps: PeerLap[];
}

/**
 * Decoding on the CPU: ours against what people would pick instead, on exports of the same dense model, equal threads, lap by lap in turn: llama.cpp (node-llama-cpp in the folder NODE_LLAMA_CPP),
 * ONNX Runtime GenAI (GENAI_PYTHON, a Python that has it) and transformers.js. What is not named does not run, and a line says so. Prints a Markdown table.
 * Options: a model (default stories), --format f32 or q4, --rounds, --threads, --prompt and --tokens (a lap's), --gguf FILE in place of the GGUF file that is exported, --folder FOLDER for a model that
 * was exported before, in ONNX (and GGUF, or --gguf) and this format.
 */
export async function run(words: readonly string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args: [...words],
    allowPositionals: true,
    options: {
      format: { type: 'string', default: 'q4' },
      rounds: { type: 'string', default: '9' },
      threads: { type: 'string', default: String(availableParallelism()) },
      prompt: { type: 'string', default: '64' },
      tokens: { type: 'string', default: '64' },
      gguf: { type: 'string' },
      folder: { type: 'string' },
    },
  });
  const format: PeerFormat = values.format === 'f32' ? 'f32' : 'q4';
  const [rounds, threads, newTokens] = [Number(values.rounds), Number(values.threads), Number(values.tokens)];
  const [name = values.folder ?? 'stories'] = positionals;
  const scratch = await mkdtemp(join(tmpdir(), 'espalier-peers-'));
  const folder = values.folder === undefined ? join(scratch, 'dense') : resolve(values.folder);
  const peers: Peer[] = [];
  const stage = (text: string) => process.stderr.write(`${text}\n`);
  using runtime = await createNodeRuntime({ threads });
  try {
    if (values.folder === undefined) {
      stage(`exporting ${name} in ${format}`);
      await exportDense(runtime, name, format, folder, values.gguf === undefined);
    }
    const files = await filesOf(folder, format);
    const prompt = benchPrompt(Number(values.prompt), files.vocabulary);
    const length = prompt.length + newTokens;
    const decoder = await openDecoder(runtime, { path: files.onnx }, { fixedCache: true });
    const contestants: Contestant[] = [
      { name: 'ours', bytes: await sizeOf(files.onnx), lap: (ids, count) => ownLap(decoder, ids, count), laps: [] },
    ];
    const add = async (bytes: number, command: string, args: readonly string[]) => {
      stage(`starting ${command} ${args[0]}`);
      const peer = await startPeer(command, args);
      peers.push(peer);
      contestants.push({ name: peer.name, bytes, lap: peer.lap, laps: [] });
    };
    await add(await sizeOf(files.onnx), process.execPath, [
      TRANSFORMERS,
      dirname(folder),
      basename(folder),
      'cpu',
      String(threads),
    ]);
    const gguf = values.gguf ?? files.gguf;
    if (process.env.NODE_LLAMA_CPP === undefined)
      console.log('llama.cpp was left out: NODE_LLAMA_CPP names no folder.');
    else if (gguf === undefined) console.log(`llama.cpp was left out: ${folder} has no GGUF file.`);
    else
      await add((await stat(gguf)).size, process.execPath, [
        ...['bench/peers/llama.mjs', gguf, String(threads), String(length)],
      ]);
    const python = process.env.GENAI_PYTHON;
    if (python === undefined) console.log('ONNX Runtime GenAI was left out: GENAI_PYTHON names no Python.');
    else await add(await sizeOf(files.onnx), python, ['bench/peers/genai.py', folder, String(threads), String(length)]);
    for (let round = -1; round < rounds; round++) {
      // Each round begins with another one, so that none always follows the same other.
      stage(round < 0 ? 'warming up' : `round ${round + 1} of ${rounds}`);
      const turn = Math.max(0, round) % contestants.length;
      for (const { lap, laps } of [...contestants.slice(turn), ...contestants.slice(0, turn)]) {
        const result = await lap(prompt, newTokens);
        if (round >= 0) laps.push(result);
      }
    }
    console.log(
      `${name} in ${format}, ${runtime.description}: ${prompt.length} prompt tokens, ${newTokens} decoded, ${rounds} rounds in turn\n`,
    );
    console.log(peersTable(contestants, prompt.length));
  } finally {
    for (const peer of peers) peer[Symbol.dispose]();
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Built beside the benchmarks by scripts/bench.mjs. */
const TRANSFORMERS = 'node_modules/.cache/bench/peers/transformers.peer.js';

/** The dense model as ONNX, and as GGUF where that is asked for. */
async function exportDense(
  runtime: Runtime,
  name: string,
  format: PeerFormat,
  folder: string,
  withGguf: boolean,
): Promise<void> {
  using open = new OpenModel(runtime, await openNamed(name));
  using dense = open.pruned(firstGroups(open, 0));
  await exportPruned(dense, {
    ...{ output: await diskOutput(folder), dtype: format, ggufType: GGUF_TYPE[format], force: true },
    formats: withGguf ? ['onnx', 'gguf'] : ['onnx'],
  });
}

/** The files of an exported folder. */
async function filesOf(folder: string, format: PeerFormat) {
  const gguf = (await readdir(folder)).find((file) => file.endsWith('.gguf'));
  return {
    vocabulary: Number(JSON.parse(await readFile(join(folder, 'config.json'), 'utf8')).vocab_size),
    onnx: join(folder, 'onnx', EXPORT_FORMATS[format].file),
    gguf: gguf && join(folder, gguf),
  };
}

const sizeOf = async (path: string) => (await stat(path)).size + (await stat(`${path}_data`)).size;

/** Medians of the laps with their range, the fastest token, ours over theirs, and how many greedy tokens are ours. */
function peersTable(contestants: readonly Contestant[], promptTokens: number): string {
  const [ours] = contestants;
  const part = ({ laps }: Contestant, key: 'prefill' | 'decode' | 'fastest') => laps.map((lap) => lap[key]);
  const fastest = (each: Contestant) => Math.min(...part(each, 'fastest'));
  const speed = (milliseconds: number, tokens = 1) => ((1000 * tokens) / milliseconds).toFixed(0);
  const rows = contestants.map((each) => {
    const [decode, prefill] = [part(each, 'decode'), part(each, 'prefill')];
    const over = (key: 'prefill' | 'decode') =>
      ours && ours !== each
        ? median(part(each, key).map((value, round) => value / (part(ours, key)[round] ?? Number.NaN))).toFixed(2)
        : '';
    const tokens = each.laps[0]?.tokens ?? [];
    const own = ours?.laps[0]?.tokens ?? [];
    const differs = own.findIndex((token, index) => token !== tokens[index]);
    return [
      ...[each.name, (each.bytes / 2 ** 20).toFixed(1), speed(median(prefill), promptTokens)],
      `${speed(median(decode))} (${speed(Math.max(...decode))} to ${speed(Math.min(...decode))})`,
      ...[
        fastest(each).toFixed(2),
        over('decode'),
        ours && ours !== each ? (fastest(each) / fastest(ours)).toFixed(2) : '',
      ],
      ...[over('prefill'), `${differs < 0 ? own.length : differs} of ${own.length}`],
    ];
  });
  const head = ['program', 'MiB', 'prefill, tokens/s', 'decode, tokens/s', 'fastest token, ms', 'ours over it, decode'];
  return [[...head, 'by the fastest tokens', 'prefill', 'tokens like ours'], Array(9).fill('---'), ...rows]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n');
}
