import { describe, expect, it } from 'vitest';
import type { ModelConfig } from '../architecture/architecture.ts';
import { EXPORT_FORMATS } from '../decoder/dtypes.ts';
import { type ModelCard, modelCard } from './model-card.ts';

const config: ModelConfig = {
  architecture: 'llama',
  layers: 2,
  hiddenSize: 64,
  queryHeads: 8,
  keyValueHeads: 4,
  headDimension: 8,
  neurons: 100,
  vocabulary: 1000,
  ropeTheta: 10_000,
  ropeInverseFrequencies: new Float64Array(4),
  normEpsilon: 1e-5,
  tiedEmbedding: true,
  maximumPositions: 512,
  bosTokenId: 1,
  eosTokenIds: [2],
  layerWidths: [
    { keyValueHeads: 3, neurons: 80 },
    { keyValueHeads: 0, neurons: 0 },
  ],
};

const card: ModelCard = {
  provenance: { name: 'org/name', revision: 'abc', licence: 'mit', format: 'safetensors' },
  config,
  recipe: {
    model: { name: 'org/name' },
    metric: 'wanda',
    search: 'uniform',
    target: { kind: 'ratio', value: 0.2 },
    seed: 0,
  },
  parametersBefore: 2_000_000,
  parametersAfter: 1_500_000,
  multiplyAccumulates: { context: 512, before: 3_000_000, after: 2_400_000 },
  format: EXPORT_FORMATS.f32,
  formats: [
    {
      format: 'onnx',
      file: 'onnx/model.onnx',
      bytes: 6_000_000,
      type: 'f32',
      opens: 'ONNX Runtime',
      notes: [],
      verification: {
        maxAbsoluteDifference: 0.00001234,
        rootMeanSquareDifference: 0.000001,
        top1Agreement: 0.998,
        positions: 256,
        klDivergence: 0.0000001,
        source: 'text',
      },
    },
  ],
  figures: { 'perplexity on a text': '11.9' },
};

describe('the model card', () => {
  it('tells what was made of which model, how it was checked and how it is used', () => {
    expect(modelCard(card)).toMatchInlineSnapshot(`
      "---
      license: mit
      base_model: org/name
      library_name: transformers.js
      pipeline_tag: text-generation
      tags:
        - onnx
        - pruned
        - espalier
      ---

      # org/name, pruned

      \`org/name\` at revision \`abc\` with 2,000,000 parameters, pruned to 1,500,000 (25.0% fewer) by
      Espalier: whole key/value heads with their query heads, and whole MLP neurons, were removed. A token with a context of 512 takes 2,400,000
      multiply-accumulates instead of 3,000,000 (20.0% fewer). The weights are in
      \`onnx/model.onnx\` and \`onnx/model.onnx_data\` (f32, 6,000,000 bytes, for ONNX Runtime).

      The licence of the base model, mit, applies.

      ## How it was made

      - Importance: wanda
      - Search: uniform
      - Target: ratio 0.2
      - Seed: 0

      ## Checks

      \`onnx/model.onnx\` was opened again and compared with the model that it was made from, over 256 positions: largest difference of a
      logit 0.0000123, the same most probable token at 99.8% of them, a KL divergence of 1.00e-7 nats a token. They are positions of text.

      | measured | value |
      | --- | --- |
      | perplexity on a text | 11.9 |

      ## Use

      With transformers.js:

      \`\`\`js
      import { pipeline } from '@huggingface/transformers';
      const generator = await pipeline('text-generation', 'FOLDER', { dtype: 'fp32' });
      const [{ generated_text }] = await generator('Once upon a time', { max_new_tokens: 64, do_sample: false });
      console.log(generated_text);
      \`\`\`

      With ONNX Runtime in Python:

      \`\`\`python
      import numpy, onnxruntime
      session = onnxruntime.InferenceSession("FOLDER/onnx/model.onnx")
      ids = [[1, 2, 3]]  # of the tokenizer in tokenizer.json
      feeds = {"input_ids": numpy.array(ids), "attention_mask": numpy.ones((1, len(ids[0])), "int64")}
      for value in session.get_inputs():
          if value.name.startswith("past_"):
              empty = [1] + [size if isinstance(size, int) else 0 for size in value.shape[1:]]
              feeds[value.name] = numpy.zeros(empty, "float16" if "float16" in value.type else "float32")
          elif value.name == "position_ids":
              feeds[value.name] = numpy.arange(len(ids[0]))[None]
          elif value.name == "num_logits_to_keep":
              feeds[value.name] = numpy.array(1)
      print(session.run(["logits"], feeds)[0].argmax(-1))
      \`\`\`

      Generate one text at a time, or pad the texts of a batch on the right. The longest sequence is 512 tokens.

      ## Kept widths

      Of 4 key/value heads (2 query heads each) and 100 neurons a layer:

      | layer | key/value heads | neurons |
      | --- | --- | --- |
      | 0 | 3 | 80 |
      | 1 | removed | removed |

      A pruned model can be wrong in ways that its perplexity does not show. Test it on your own task.
      "
    `);
  });

  it('says so where licence, recipe or measurements are not known, and names no base model that is not on the hub', () => {
    const text = modelCard({
      ...card,
      provenance: { name: 'stories', format: 'gguf' },
      recipe: undefined,
      figures: {},
    });
    expect(text).not.toMatch(/^(license|base_model):/m);
    expect(text).toContain('The licence of the base model applies; its files did not state one.');
    expect(text).toContain('No recipe was recorded.');
    expect(text).not.toContain('| measured | value |');
  });

  it('is filed under the program that opens its files', () => {
    const [onnx] = card.formats;
    if (!onnx) throw new Error('The card has a format.');
    const library = (...formats: ('onnx' | 'safetensors' | 'gguf')[]) =>
      modelCard({ ...card, formats: formats.map((format) => ({ ...onnx, format })) }).match(/library_name: (.*)/)?.[1];
    expect(library('onnx', 'gguf')).toBe('transformers.js');
    expect(library('safetensors', 'gguf')).toBe('llama.cpp');
    expect(library('safetensors')).toBe('transformers');
  });
});
