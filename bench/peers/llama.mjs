// llama.cpp on the CPU as a peer of bench/decode-peers.bench.ts, by node-llama-cpp, which is not a dependency of the project: it is looked for in the folder that NODE_LLAMA_CPP names.
// Words: the GGUF file, threads, tokens of the longest text.
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const [, , modelPath, threads, contextSize] = process.argv;
const root = resolve(process.env.NODE_LLAMA_CPP ?? '.');
const packages = createRequire(join(root, 'package.json'));
const { getLlama, LlamaLogLevel } = await import(pathToFileURL(packages.resolve('node-llama-cpp')).href);
const llama = await getLlama({
  ...{ gpu: false, build: 'never', logLevel: LlamaLogLevel.error, maxThreads: Number(threads) },
});
const model = await llama.loadModel({ modelPath });
const context = await model.createContext({ contextSize: Number(contextSize), threads: Number(threads) });
const sequence = context.getSequence();

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const { version } = packages(join(root, 'node_modules/node-llama-cpp/package.json'));
say({ name: `llama.cpp ${llama.llamaCppRelease.release} (node-llama-cpp ${version})` });
for await (const line of createInterface({ input: process.stdin })) {
  const { prompt, newTokens } = JSON.parse(line);
  await sequence.clearHistory();
  const [times, tokens] = [[], []];
  const started = performance.now();
  for await (const token of sequence.evaluate(prompt, { temperature: 0, yieldEogToken: true })) {
    times.push(performance.now() - started);
    tokens.push(Number(token));
    if (tokens.length === newTokens) break;
  }
  say({ times, tokens });
}
