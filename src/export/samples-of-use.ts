import type { ExportFormat } from '../decoder/dtypes.ts';
import type { TakenAway } from './take-away.ts';

/** A piece of code of the model card. `FOLDER` stands for where the reader keeps the model. */
export interface SampleOfUse {
  /** 'transformers.js', … */
  readonly title: string;
  readonly language: 'js' | 'python';
  readonly code: string;
}

/** How every format of a folder is used, by the programs that people have. */
export function samplesOfUse(formats: readonly TakenAway[], { file, transformersName }: ExportFormat): SampleOfUse[] {
  return formats.flatMap((taken): SampleOfUse[] => {
    if (taken.format === 'gguf')
      return [
        {
          title: 'node-llama-cpp (llama.cpp in Node)',
          language: 'js',
          code: `import { getLlama, LlamaCompletion } from 'node-llama-cpp';
const llama = await getLlama({ build: 'never' });
const model = await llama.loadModel({ modelPath: 'FOLDER/${taken.file}' });
const context = await model.createContext();
const completion = new LlamaCompletion({ contextSequence: context.getSequence() });
console.log(await completion.generateCompletion('Once upon a time', { maxTokens: 64 }));`,
        },
      ];
    if (taken.format === 'safetensors') return [transformersSample(taken)];
    return [
      {
        title: 'transformers.js',
        language: 'js',
        code: `import { pipeline } from '@huggingface/transformers';
const generator = await pipeline('text-generation', 'FOLDER', { dtype: '${transformersName}' });
const [{ generated_text }] = await generator('Once upon a time', { max_new_tokens: 64, do_sample: false });
console.log(generated_text);`,
      },
      {
        title: 'ONNX Runtime in Python',
        language: 'python',
        code: `import numpy, onnxruntime
session = onnxruntime.InferenceSession("FOLDER/onnx/${file}")
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
print(session.run(["logits"], feeds)[0].argmax(-1))`,
      },
      ...(taken.opens.includes(GENAI) ? [genaiSample(taken.opens.includes(GENAI_BY_IDS), taken.beginning)] : []),
    ];
  });
}

/** What opens a decoder in ONNX, where there are files for it. */
export const GENAI = 'ONNX Runtime GenAI';

/** The same, where it does not encode text as the tokenizer does. */
export const GENAI_BY_IDS = `${GENAI} (by token ids)`;

const genaiSample = (byIds: boolean, beginning = ''): SampleOfUse => ({
  title: GENAI,
  language: 'python',
  code: `import onnxruntime_genai as og
${byIds ? 'from tokenizers import Tokenizer\n' : ''}model = og.Model("FOLDER")
tokenizer = ${byIds ? 'Tokenizer.from_file("FOLDER/tokenizer.json")' : 'og.Tokenizer(model)'}
parameters = og.GeneratorParams(model)
parameters.set_search_options(max_length=64, do_sample=False)
generator = og.Generator(model, parameters)
generator.append_tokens(tokenizer.encode(${JSON.stringify(`${byIds ? '' : beginning}Once upon a time`)})${byIds ? '.ids' : ''})
while not generator.is_done():
    generator.generate_next_token()
print(tokenizer.decode(${byIds ? 'list(generator.get_sequence(0))' : 'generator.get_sequence(0)'}))`,
});

function transformersSample({ opens }: TakenAway): SampleOfUse {
  const trust = opens.includes('trust_remote_code') ? ', trust_remote_code=True' : '';
  return {
    title: 'transformers',
    language: 'python',
    code: `from transformers import AutoModelForCausalLM, AutoTokenizer
model = AutoModelForCausalLM.from_pretrained("FOLDER"${trust})
tokenizer = AutoTokenizer.from_pretrained("FOLDER")
ids = tokenizer("Once upon a time", return_tensors="pt").input_ids
print(tokenizer.decode(model.generate(ids, max_new_tokens=64, do_sample=False)[0]))`,
  };
}
