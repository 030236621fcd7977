import { createInterface } from 'node:readline';
import { env } from '@huggingface/transformers';
import { transformersTimes } from '../decode-loops.ts';
import type { PeerAnswer } from './peer-process.ts';

/** transformers.js in Node as a peer: the folder with the model's folder, its name, the device, the threads of a host. */
const [, , root = '', folder = '', device = 'cpu', threads = '1'] = process.argv;
const options =
  device === 'cpu' ? { session_options: { intraOpNumThreads: Number(threads), interOpNumThreads: 1 } } : { device };
const lap = await transformersTimes(root, folder, options);

const say = (line: PeerAnswer) => process.stdout.write(`${JSON.stringify(line)}\n`);
say({ name: `transformers.js ${env.version}` });
for await (const line of createInterface({ input: process.stdin })) {
  const { prompt, newTokens } = JSON.parse(line) as { readonly prompt: number[]; readonly newTokens: number };
  say(await lap(prompt, newTokens).catch((error: unknown) => ({ error: String(error) })));
}
