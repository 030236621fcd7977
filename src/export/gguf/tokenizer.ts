import { isRecord, type JsonRecord } from '../../checkpoint/files/json.ts';
import { chatTemplatesOf, DEFAULT_TEMPLATE } from '../../checkpoint/tokenizer/named-templates.ts';
import { PRE_TOKENIZERS } from '../../checkpoint/tokenizer/pre-tokenizers.ts';
import { createTokenizer, type TokenizerFiles, tokenText } from '../../checkpoint/tokenizer/tokenizer.ts';
import { UnsupportedError } from '../../errors.ts';
import type { GgufEntry } from './file.ts';

/** llama.cpp's token types. */
const TYPES = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;

export interface GgufTokenizer {
  readonly metadata: readonly GgufEntry[];
  /** What llama.cpp does otherwise, in sentences for people. */
  readonly notes: readonly string[];
}

/**
 * A vocabulary as llama.cpp reads it (ggml's docs/gguf.md, "Tokenizer"): byte-level byte pairs as `gpt2`, pieces of SentencePiece's kind with fallback to bytes as `llama`.
 * `vocabulary` is the number of rows of the embedding; ids without a token become unused ones. `sample` is text on which the nearest rule for words is chosen where llama.cpp has none that is equal.
 * Throws UnsupportedError for a tokenizer that llama.cpp has no kind for.
 */
export function ggufTokenizer(files: TokenizerFiles, vocabulary: number, sample: string): GgufTokenizer {
  const { model } = files.tokenizer;
  if (!isRecord(model) || (model.type ?? 'BPE') !== 'BPE' || !isRecord(model.vocab) || !Array.isArray(model.merges))
    throw new UnsupportedError(
      `The tokenizer of ${files.name} is of the kind ${isRecord(model) ? String(model.type) : 'unknown'}; GGUF files are written for byte pairs (BPE). Take the model away as ONNX or safetensors.`,
    );
  const merges = model.merges.map((merge: unknown) => (Array.isArray(merge) ? merge.join(' ') : String(merge)));
  const tokens = tokensOf(files, model.vocab, vocabulary);
  const isPieces = model.byte_fallback === true;
  const kind = isPieces ? pieces(files, tokens, merges) : words(files, tokens, merges, sample);
  return {
    metadata: [...kind.metadata, ...specialTokens(files, tokens), ...templateEntries(files)],
    notes: kind.notes,
  };
}

interface Tokens {
  readonly texts: readonly string[];
  readonly types: readonly number[];
  readonly idOf: (text: string) => number | undefined;
}

function tokensOf(files: TokenizerFiles, vocab: JsonRecord, vocabulary: number): Tokens {
  const texts = Array.from({ length: vocabulary }, (_, id) => `[unused${id}]`);
  const types = new Array<number>(vocabulary).fill(TYPES.unused);
  const ids = new Map<string, number>();
  const put = (text: string, id: number, type: number) => {
    if (id >= vocabulary)
      throw new UnsupportedError(
        `${files.name} has the token ${JSON.stringify(text)} with the id ${id}, beyond the ${vocabulary} rows of its embedding. Use the tokenizer of this model.`,
      );
    texts[id] = text;
    types[id] = type;
    ids.set(text, id);
  };
  const unknown = isRecord(files.tokenizer.model) ? files.tokenizer.model.unk_token : undefined;
  const typeOf = (text: string) =>
    text === unknown ? TYPES.unknown : /^<0x[0-9A-F]{2}>$/.test(text) ? TYPES.byte : TYPES.normal;
  for (const [text, id] of Object.entries(vocab)) put(text, Number(id), typeOf(text));
  const added: unknown = files.tokenizer.added_tokens ?? [];
  for (const each of Array.isArray(added) ? (added as unknown[]) : []) {
    if (!isRecord(each) || typeof each.content !== 'string') continue;
    const type = each.content === unknown ? TYPES.unknown : each.special === true ? TYPES.control : TYPES.userDefined;
    put(each.content, Number(each.id), type);
  }
  return { texts, types, idOf: (text) => ids.get(text) };
}

/** Byte-level byte pairs: the merges, and by name the rule that cuts a text into words. */
function words(files: TokenizerFiles, tokens: Tokens, merges: readonly string[], sample: string): GgufTokenizer {
  const { name, differing, compared } = nearestRule(files, sample);
  return {
    metadata: [
      { key: 'tokenizer.ggml.model', kind: 'string', value: 'gpt2' },
      { key: 'tokenizer.ggml.pre', kind: 'string', value: name },
      { key: 'tokenizer.ggml.tokens', kind: 'string[]', value: tokens.texts },
      { key: 'tokenizer.ggml.token_type', kind: 'int32[]', value: tokens.types },
      { key: 'tokenizer.ggml.merges', kind: 'string[]', value: merges },
    ],
    notes:
      differing === undefined
        ? []
        : [
            `llama.cpp has no rule that cuts text into words exactly as this tokenizer does; its nearest, "${name}", gives other tokens in ${differing} of ${compared} pieces of 200 characters of sample text.`,
          ],
  };
}

/** The rule that is written as the tokenizer's own, else the one that gives the same tokens in most pieces of the sample. */
function nearestRule(files: TokenizerFiles, sample: string) {
  const { tokenizer } = files;
  const ignoreMerges = isRecord(tokenizer.model) && tokenizer.model.ignore_merges === true;
  const signature = (normalizer: unknown, preTokenizer: unknown, ignore: boolean) =>
    JSON.stringify([normalizer ?? null, simplified(preTokenizer), ignore]);
  const own = signature(tokenizer.normalizer, tokenizer.pre_tokenizer, ignoreMerges);
  // The old name of a rule, "default", means another one to newer programs.
  const rules = [...PRE_TOKENIZERS].filter(([name]) => name !== 'default');
  const equal = rules.find(([, rule]) => signature(rule.normalizer, rule.preTokenizer, rule.ignoreMerges) === own);
  if (equal) return { name: equal[0], differing: undefined, compared: 0 };
  // Pieces go on after an empty line: what a rule does with white space depends on what comes next.
  const parts = sample.match(/[\s\S]{1,200}/g)?.slice(0, 300) ?? [];
  const encodeAll = (json: JsonRecord) => {
    const encoder = createTokenizer({ ...files, tokenizer: json });
    return parts.map((part) => encoder.encode(part, { addSpecialTokens: false }).join());
  };
  const expected = encodeAll(tokenizer);
  const tried = new Map<string, { readonly name: string; readonly differing: number }>();
  for (const [name, rule] of rules) {
    const key = signature(rule.normalizer, rule.preTokenizer, rule.ignoreMerges);
    if (tried.has(key)) continue;
    const model = { ...(tokenizer.model as JsonRecord), ignore_merges: rule.ignoreMerges };
    const found = encodeAll({ ...tokenizer, model, normalizer: rule.normalizer, pre_tokenizer: rule.preTokenizer });
    tried.set(key, { name, differing: found.filter((ids, i) => ids !== expected[i]).length });
  }
  const [best] = [...tried.values()].sort((a, b) => a.differing - b.differing);
  return { name: best?.name ?? 'gpt-2', differing: best?.differing, compared: parts.length };
}

/** Without the settings of a byte-level step that change no ids, and a step alone as a sequence of one. */
function simplified(step: unknown): unknown {
  if (!isRecord(step)) return [];
  if (step.type === 'Sequence' && Array.isArray(step.pretokenizers))
    return step.pretokenizers.flatMap((each: unknown) => simplified(each));
  const { trim_offsets: _, ...rest } = step;
  return [Object.fromEntries(Object.entries(rest).sort(([a], [b]) => (a < b ? -1 : 1)))];
}

/**
 * SentencePiece's kind: llama.cpp joins the two neighbours whose piece has the highest score, so a piece's score is minus the rank of the first merge that makes it.
 * Where two pieces make a third without a merge of theirs, llama.cpp joins them all the same; a note tells it.
 */
function pieces(files: TokenizerFiles, tokens: Tokens, merges: readonly string[]): GgufTokenizer {
  const rank = new Map<string, number>();
  for (const [index, merge] of merges.entries()) {
    const piece = merge.replace(' ', '');
    if (!rank.has(piece)) rank.set(piece, index);
  }
  const scores = tokens.texts.map((text, id) =>
    tokens.types[id] === TYPES.normal ? -(rank.get(text) ?? merges.length) : 0,
  );
  return {
    metadata: [
      { key: 'tokenizer.ggml.model', kind: 'string', value: 'llama' },
      { key: 'tokenizer.ggml.pre', kind: 'string', value: 'default' },
      { key: 'tokenizer.ggml.tokens', kind: 'string[]', value: tokens.texts },
      { key: 'tokenizer.ggml.scores', kind: 'float32[]', value: scores },
      { key: 'tokenizer.ggml.token_type', kind: 'int32[]', value: tokens.types },
      { key: 'tokenizer.ggml.add_space_prefix', kind: 'boolean', value: addsSpace(files.tokenizer) },
    ],
    notes: unmerged(rank.keys(), new Set(merges), tokens).map(
      (piece) =>
        `llama.cpp joins neighbours to ${JSON.stringify(piece)} in a way that this tokenizer has no merge for, so that some texts may get other tokens there.`,
    ),
  };
}

/** The first piece that two others make together without being a merge, if there is one. Very long pieces are runs of one character. */
function unmerged(made: Iterable<string>, merges: ReadonlySet<string>, tokens: Tokens): string[] {
  const isPiece = (text: string) => {
    const id = tokens.idOf(text);
    return id !== undefined && tokens.types[id] === TYPES.normal;
  };
  for (const piece of made) {
    const characters = [...piece];
    if (characters.length > 64) continue;
    for (let cut = 1; cut < characters.length; cut++) {
      const [left, right] = [characters.slice(0, cut).join(''), characters.slice(cut).join('')];
      if (isPiece(left) && isPiece(right) && !merges.has(`${left} ${right}`)) return [piece];
    }
  }
  return [];
}

/** Whether a text gets a space before its first word. */
function addsSpace({ normalizer, pre_tokenizer: preTokenizer }: JsonRecord): boolean {
  const steps = [...stepsOf(normalizer, 'normalizers'), ...stepsOf(preTokenizer, 'pretokenizers')];
  return steps.some(
    ({ type, prepend_scheme: scheme, add_prefix_space: adds }) =>
      type === 'Prepend' || (type === 'Metaspace' && (scheme === undefined ? adds !== false : scheme !== 'never')),
  );
}

function stepsOf(step: unknown, list: string): JsonRecord[] {
  if (!isRecord(step)) return [];
  const inner = step[list];
  return Array.isArray(inner) ? inner.flatMap((each: unknown) => stepsOf(each, list)) : [step];
}

function specialTokens(
  { tokenizer, tokenizerConfig, config, generationConfig }: TokenizerFiles,
  tokens: Tokens,
): GgufEntry[] {
  const first = (value: unknown) => (Array.isArray(value) ? (value as unknown[])[0] : value);
  const id = (name: 'bos' | 'eos' | 'unk' | 'pad') => {
    const text = tokenText(tokenizerConfig[`${name}_token`]);
    const byText = text === undefined ? undefined : tokens.idOf(text);
    const stated = first(config[`${name}_token_id`] ?? generationConfig[`${name}_token_id`]);
    return byText ?? (typeof stated === 'number' && stated < tokens.texts.length ? stated : undefined);
  };
  const names = { bos: 'bos', eos: 'eos', unknown: 'unk', padding: 'pad' } as const;
  const around = surroundings(tokenizer.post_processor);
  return [
    ...Object.entries(names).flatMap(([key, name]): GgufEntry[] => {
      const value = id(name);
      return value === undefined ? [] : [{ key: `tokenizer.ggml.${key}_token_id`, kind: 'uint32', value }];
    }),
    { key: 'tokenizer.ggml.add_bos_token', kind: 'boolean', value: around.before },
    { key: 'tokenizer.ggml.add_eos_token', kind: 'boolean', value: around.after },
  ];
}

/** Whether the tokenizer puts a special token before or after a text. */
function surroundings(processor: unknown): { readonly before: boolean; readonly after: boolean } {
  const template = stepsOf(processor, 'processors').find(({ type }) => type === 'TemplateProcessing');
  const single: readonly unknown[] = Array.isArray(template?.single) ? template.single : [];
  const text = single.findIndex((each) => isRecord(each) && 'Sequence' in each);
  return { before: text > 0, after: text >= 0 && text < single.length - 1 };
}

/** The default template, and others under their names. */
function templateEntries({ chatTemplate, tokenizerConfig }: TokenizerFiles): GgufEntry[] {
  const templates = chatTemplatesOf(tokenizerConfig.chat_template, chatTemplate);
  const named = [...templates.keys()].filter((name) => name !== DEFAULT_TEMPLATE);
  return [
    ...[...templates].map(([name, value]): GgufEntry => {
      const key = `tokenizer.chat_template${name === DEFAULT_TEMPLATE ? '' : `.${name}`}`;
      return { key, kind: 'string', value };
    }),
    ...(named.length > 0 ? [{ key: 'tokenizer.chat_templates', kind: 'string[]' as const, value: named }] : []),
  ];
}
