import { expect, test } from 'vitest';
import { type Model, modelOf } from '../architecture/model.ts';
import { type FixtureName, openFixture } from '../architecture/testing/fixture.ts';
import { decoderGraph } from '../decoder/decoder-graph.ts';
import { GENAI_FILE, genaiConfig, genaiGraph, genaiRefusal } from './genai.ts';
import { randomModel } from './testing/random-model.ts';

const decoderOf = ({ model }: Record<'model', Record<string, unknown>>) => model.decoder as Record<string, unknown>;
const written = (model: Model) => {
  const { graph } = decoderGraph(model);
  return { graph, config: decoderOf(genaiConfig(model.architecture.config, 64, graph) as never) };
};

// onnxruntime-genai 0.18 gave the greedy tokens of PyTorch with these, dense and pruned (scripts/fixtures/take_away_genai.py on exports of the fixtures).
test.each<[FixtureName, readonly string[], readonly string[]]>([
  ['llama', [], []],
  ['lfm2', ['conv'], ['conv', 'full_attention', 'conv']],
  ['qwen3-5', ['conv', 'recurrent'], ['linear_attention', 'linear_attention', 'full_attention']],
])('%s tells GenAI of its caches', async (name, states, kinds) => {
  const model = modelOf((await openFixture(name)).checkpoint);
  const { graph, config } = written(model);
  expect(genaiRefusal(graph)).toBeUndefined();
  expect(config).toMatchObject({ filename: GENAI_FILE, num_hidden_layers: model.architecture.config.layers });
  expect(config.layer_types ?? []).toEqual(kinds);
  const names = (time: string) => states.map((state) => [`${time}_${state}_names`, `${time}_${state}.%d`]);
  expect(config.inputs).toMatchObject(Object.fromEntries(names('past')));
  expect(config.outputs).toMatchObject(Object.fromEntries(names('present')));
  expect(Object.keys(config.inputs as object)).toHaveLength(4 + states.length);
});

const SIZES = {
  model_type: 'qwen3_5_text',
  num_hidden_layers: 4,
  layer_types: ['linear_attention', 'linear_attention', 'full_attention', 'full_attention'],
  ...{ hidden_size: 16, num_attention_heads: 4, num_key_value_heads: 2, head_dim: 8, partial_rotary_factor: 0.5 },
  ...{ intermediate_size: 16, vocab_size: 24, linear_key_head_dim: 8, linear_value_head_dim: 8 },
  ...{ linear_num_key_heads: 1, linear_num_value_heads: 1 },
};
const withHeads = (...heads: readonly number[]) =>
  modelOf(
    randomModel({
      ...SIZES,
      espalier: {
        layers: [
          { keyValueHeads: 0, neurons: 0 },
          { keyValueHeads: 0, neurons: 8 },
        ].concat(heads.map((keyValueHeads) => ({ keyValueHeads, neurons: 8 }))),
      },
    }),
  );

test('layers that are gone leave no gap, and the heads are those that stay', () => {
  const { graph, config } = written(withHeads(1, 1));
  expect(config).toMatchObject({
    num_hidden_layers: 3,
    num_key_value_heads: 1,
    layer_types: ['linear_attention', 'full_attention', 'full_attention'],
  });
  const caches = genaiGraph(graph).inputs.flatMap(({ name }) => (name.startsWith('past_') ? [name] : []));
  expect(caches.sort()).toEqual([
    'past_conv.0',
    'past_key_values.1.key',
    'past_key_values.1.value',
    'past_key_values.2.key',
    'past_key_values.2.value',
    'past_recurrent.0',
  ]);
});

test('beside states of layers unequal numbers of heads are refused, with both', () => {
  expect(genaiRefusal(decoderGraph(withHeads(2, 1)).graph)).toBe(
    'No files for ONNX Runtime GenAI are written: beside states of other layers it takes as many key/value heads in each layer that attends, and here they are 2 and 1.',
  );
});
