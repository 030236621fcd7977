/** What a family is called, and the model of it that was tried with real weights where one could be had (docs/results.md). */
interface Family {
  readonly title: string;
  readonly tried?: string;
}

/** By `model_type`: every family that is read. */
export const FAMILIES: Readonly<Record<string, Family>> = {
  llama: { title: 'LLaMA 1 to 3, SmolLM 1 and 2', tried: 'stories, SmolLM2-135M-Instruct' },
  mistral: { title: 'Mistral' },
  ministral3: { title: 'Ministral 3' },
  qwen2: { title: 'Qwen2, Qwen2.5', tried: 'Qwen2.5-0.5B-Instruct' },
  qwen3: { title: 'Qwen3' },
  qwen3_moe: { title: 'Qwen3 with experts' },
  qwen3_5_text: { title: 'Qwen3.5, text' },
  gemma: { title: 'Gemma 1' },
  gemma2: { title: 'Gemma 2' },
  gemma3_text: { title: 'Gemma 3, text', tried: 'Gemma 3 270M' },
  phi: { title: 'Phi-1, 1.5, 2' },
  phi3: { title: 'Phi-3, 3.5, 4 mini' },
  smollm3: { title: 'SmolLM3' },
  granite: { title: 'Granite 3' },
  granitemoehybrid: { title: 'Granite 4, dense' },
  olmo2: { title: 'OLMo 2' },
  olmo3: { title: 'OLMo 3' },
  lfm2: { title: 'LFM2, LFM2.5' },
  lfm2_moe: { title: 'LFM2 with experts' },
  glm: { title: 'GLM-4' },
  glm4: { title: 'GLM-4-0414' },
  ernie4_5: { title: 'ERNIE 4.5, dense' },
  hunyuan_v1_dense: { title: 'Hunyuan, dense' },
  stablelm: { title: 'StableLM 2' },
  starcoder2: { title: 'StarCoder 2' },
  gpt_oss: { title: 'gpt-oss' },
  gpt2: { title: 'GPT-2' },
  gpt_neox: { title: 'GPT-NeoX, Pythia' },
  opt: { title: 'OPT' },
};

/** The name of a family for people: its title, or what config.json calls it. */
export function familyTitle(type: string): string {
  return FAMILIES[type]?.title ?? type;
}

/** What families that are not read are most like. */
const KIN: Readonly<Record<string, string>> = {
  bloom: 'opt',
  cohere: 'llama',
  cohere2: 'llama',
  deepseek_v2: 'qwen3_moe',
  deepseek_v3: 'qwen3_moe',
  falcon: 'gpt_neox',
  gemma3: 'gemma3_text',
  gemma3n: 'gemma3_text',
  gemma3n_text: 'gemma3_text',
  gemma4: 'gemma3_text',
  gemma4_text: 'gemma3_text',
  gpt_bigcode: 'starcoder2',
  gpt_neo: 'gpt2',
  gptj: 'gpt_neox',
  mixtral: 'qwen3_moe',
  mpt: 'gpt2',
  olmo: 'olmo2',
  olmo_hybrid: 'qwen3_5_text',
  olmoe: 'qwen3_moe',
  phimoe: 'phi3',
  qwen3_5_moe_text: 'qwen3_5_text',
  qwen3_next: 'qwen3_5_text',
};

/** The family that is read and is most like one that is not: kin, or the one whose name begins alike, or LLaMA. */
export function nearestFamily(type: string): string {
  const kin = Object.hasOwn(KIN, type) ? KIN[type] : undefined;
  if (kin !== undefined) return kin;
  const alike = (other: string) => {
    let length = 0;
    while (length < other.length && other[length] === type[length]) length++;
    return length;
  };
  const best = Object.keys(FAMILIES).reduce((a, b) => (alike(b) > alike(a) ? b : a));
  return alike(best) >= 3 ? best : 'llama';
}
