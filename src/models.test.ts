import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { FAMILIES } from './architecture/family-titles.ts';
import { FIXTURES, type FixtureName, openFixture } from './architecture/testing/fixture.ts';
import { EspalierError } from './errors.ts';
import { ggufHome } from './export/gguf/home.ts';
import { safetensorsConfig } from './export/safetensors/config.ts';
import { modelShape } from './export/safetensors/shape.ts';
import { OpenModel } from './library/open-model.ts';
import { createNodeRuntime } from './runtime/node.ts';
import type { Runtime } from './runtime/runtime.ts';

let runtime: Runtime;
beforeAll(async () => {
  runtime = await createNodeRuntime({ threads: 1 });
});
afterAll(() => runtime.dispose());

const succeeds = (attempt: () => unknown) => {
  try {
    attempt();
    return true;
  } catch (error) {
    if (error instanceof EspalierError) return false;
    throw error;
  }
};

const source = (path: string) => readFileSync(join(import.meta.dirname, path), 'utf8');
/** What GGUF files are opened as, and what transformers.js has no class for, as their own tables have it. */
const fromGguf = new Set(
  [...source('checkpoint/formats/gguf/gguf-config.ts').matchAll(/modelType: '(\w+)'/g)].map(([, type]) => type),
);
const UNKNOWN_THERE = /UNKNOWN_THERE: readonly FixtureName\[\] = \[([^\]]*)\]/.exec(
  source('export/transformers-js-architectures.test.ts'),
)?.[1];

/** The groups of a model, layer by layer, told once. */
function groupsOf(open: OpenModel): string {
  const found = new Set<string>();
  for (const layer of open.config.layerWidths.keys())
    for (const { kind, groups } of open.structuresOf(layer)) {
      const isWhole = kind === 'attention' && groups < (open.config.layerWidths[layer]?.keyValueHeads ?? 0);
      const names = { attention: 'key/value heads', convolution: 'channels of convolutions', mlp: 'neurons' } as const;
      const isMixed = kind === 'mlp' && open.config.layerWidths[layer]?.experts !== undefined;
      found.add(isWhole ? 'all heads as one' : isMixed ? 'experts and their neurons' : names[kind]);
    }
  return [...found].join(', ');
}

async function rowOf(type: string, fixtures: readonly FixtureName[]): Promise<string> {
  const [first] = fixtures;
  if (first === undefined) throw new Error(`no fixture of ${type}`);
  using open = new OpenModel(runtime, (await openFixture(first)).checkpoint);
  const { model } = open;
  const outs = [
    'ONNX',
    ...(succeeds(() => safetensorsConfig(model, modelShape(model), 'float32')) ? ['safetensors'] : []),
    ...(succeeds(() => ggufHome(model)) ? ['GGUF'] : []),
  ];
  const ins = ['safetensors', ...(fromGguf.has(type) ? ['GGUF'] : []), 'ONNX'];
  const elsewhere = fixtures.every((name) => !UNKNOWN_THERE?.includes(`'${name}'`));
  const family = FAMILIES[type];
  return `| ${family?.title} | \`${type}\` | ${groupsOf(open)} | ${ins.join(', ')} | ${outs.join(', ')} | ${fixtures.length} | ${elsewhere ? 'equal' : 'no such class'} | ${family?.tried ?? 'random weights only'} |`;
}

test('docs/models.md tells every family that is read', async () => {
  const byType = new Map<string, FixtureName[]>();
  for (const name of FIXTURES) {
    const { config } = (await openFixture(name)).checkpoint;
    byType.set(String(config.model_type), [...(byType.get(String(config.model_type)) ?? []), name]);
  }
  expect([...byType.keys()].sort()).toEqual(Object.keys(FAMILIES).sort());
  const rows = [];
  for (const type of Object.keys(FAMILIES)) rows.push(await rowOf(type, byType.get(type) ?? []));
  const whole = `# Models

Every family that is read, by its \`model_type\`. A test makes this table from what other tests prove (\`npx vitest run src/models.test.ts -u\`).

Of each there are tiny random models, whose logits, losses and gradients are those of transformers' PyTorch within 2e-5 of their largest value
(\`src/architecture/architectures.test.ts\`), whose scores are those of PyTorch's weight gradients (\`src/importance/architectures.test.ts\`), and which transformers.js,
where it has a class for the family, decodes from the exported ONNX, dense and pruned, with the very greedy tokens of PyTorch
(\`src/export/transformers-js-architectures.test.ts\`); on WebGPU they have the same logits and greedy tokens (\`src/generate/webgpu-families.test.ts\`). ONNX Runtime GenAI 0.18
decoded all the same exports with the same tokens (with \`EXPORTS_FOLDER\` the test of transformers.js keeps them, for \`scripts/fixtures/take_away_genai.py\`). ONNX as input means what Espalier exported itself, opened again with equal logits in the same test; files of other exporters are read where
they name the modules of their weights: tried with PyTorch's exporter on GPT-2, GPT-NeoX, OPT, Phi, Gemma 1 to 3, OLMo 2 and 3, Granite, Hunyuan, Ministral 3, Mistral, Phi-3, Qwen3, SmolLM3, StableLM and StarCoder 2 (\`docs/compatibility.md\`). The last column says which models were tried with real weights (\`docs/results.md\`).

| family | model_type | groups | formats in | formats out | random models | transformers.js | real weights |
|---|---|---|---|---|---|---|---|
${rows.join('\n')}

A family that is not here is refused by name, with the nearest that is. What each does with every key of config.json stands in \`docs/config-keys.md\`.

- Of OLMo 2 and 3 the heads of a layer are one group: a norm measures all of them at once.
- Of Ministral 3 and of LongRoPE models sequences up to the original length are computed.
- Gemma 3 goes out as GGUF too where every sixth layer sees everything, as published models have it and the random one here has not.
- Of Qwen3.5 gated delta nets stay whole; windows of up to 4,096 tokens are scored and evaluated, while its export decodes as many as others. Tensors for images and further tokens (mtp) are left out by name.
- Mixtures of experts go out in q8, and in q4 where verification allows it: of the random ones Qwen3-MoE and gpt-oss; of LFM2-MoE the routers choose other experts too often, with GPTQ as well (\`src/export/mixtures.test.ts\`).
- OPT-350M, which has its norms behind the modules, is refused.
- safetensors in 8-bit floats (e4m3) with their scales are read; GGUF in all K quants, IQ4_NL, IQ4_XS and MXFP4.
- A language model inside one that also sees or hears is read by its \`text_config\`; \`--ignore-tensors\` leaves the other parts out.
`;
  await expect(whole).toMatchFileSnapshot(join(import.meta.dirname, '../docs/models.md'));
});
