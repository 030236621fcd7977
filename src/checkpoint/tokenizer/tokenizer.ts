import { FileFormatError, MismatchError, MissingError, UnsupportedError, UsageError } from '../../errors.ts';
import type { Checkpoint } from '../checkpoint.ts';
import { isRecord, type JsonRecord, parseJsonRecord } from '../files/json.ts';
import { quote } from '../weights.ts';
import { type ChatMessage, type ChatOptions, chatTemplate } from './chat-template.ts';
import { chatTemplatesOf, DEFAULT_TEMPLATE, TOOLS_TEMPLATE } from './named-templates.ts';
import { type Pipeline, pipeline } from './pipeline.ts';
import { checkTokenizerJson } from './tokenizer-json.ts';

/** Text to token ids and back, as the model's own tokenizer.json says. */
export interface Tokenizer {
  /** Largest id + 1. */
  readonly vocabularySize: number;
  /** Token that begins a text; undefined where there is none. */
  readonly bosTokenId: number | undefined;
  /** Ids that end a generation, ascending. */
  readonly eosTokenIds: readonly number[];
  /** The model's Jinja template, where it has one; of several the one named 'default'. */
  readonly chatTemplate: string | undefined;
  /** Names of its templates. */
  readonly chatTemplates: readonly string[];
  /** Token ids of a text; with the special tokens that the model expects around it by default. Throws MismatchError for an id that the embedding lacks. */
  encode(text: string, options?: { readonly addSpecialTokens?: boolean }): number[];
  /** Text of token ids. Ids that the vocabulary lacks throw UsageError. */
  decode(ids: readonly number[], options?: { readonly skipSpecialTokens?: boolean }): string;
  /** The prompt of a conversation, to be encoded without special tokens. Throws MissingError where the model has no template, UsageError where it has none of the name that is asked for. */
  applyChatTemplate(messages: readonly ChatMessage[], options?: Partial<ChatOptions>): string;
}

/** Parsed files that a tokenizer is made of. All but `tokenizer` may be empty. */
export interface TokenizerFiles {
  /** Where the tokenizer comes from, for errors. */
  readonly name: string;
  readonly tokenizer: JsonRecord;
  readonly tokenizerConfig: JsonRecord;
  readonly config: JsonRecord;
  readonly generationConfig: JsonRecord;
  readonly chatTemplate?: string | undefined;
}

/** The tokenizer that belongs to a model. Throws MissingError when tokenizer.json is absent, FileFormatError or UnsupportedError when it cannot be used. */
export async function loadTokenizer(
  checkpoint: Pick<Checkpoint, 'provenance' | 'config' | 'file'>,
): Promise<Tokenizer> {
  return createTokenizer(await readTokenizerFiles(checkpoint));
}

/** The files that a model's tokenizer is made of, parsed. Throws MissingError when tokenizer.json is absent. */
export async function readTokenizerFiles(
  checkpoint: Pick<Checkpoint, 'provenance' | 'config' | 'file'>,
): Promise<TokenizerFiles> {
  const { name } = checkpoint.provenance;
  const bytes = await checkpoint.file('tokenizer.json');
  if (!bytes) {
    throw new MissingError(
      `${name} has no tokenizer.json and no tokenizer.model. Put the model's own beside config.json.`,
    );
  }
  const optional = async (file: string): Promise<JsonRecord> => {
    const contents = await checkpoint.file(file);
    return contents ? parseJsonRecord(contents, file) : {};
  };
  const template = await checkpoint.file('chat_template.jinja');
  return {
    name,
    tokenizer: parseJsonRecord(bytes, 'tokenizer.json'),
    tokenizerConfig: await optional('tokenizer_config.json'),
    generationConfig: await optional('generation_config.json'),
    config: checkpoint.config,
    chatTemplate: template && new TextDecoder().decode(template),
  };
}

/** A tokenizer of parsed files. Throws as `loadTokenizer`. */
export function createTokenizer(files: TokenizerFiles): Tokenizer {
  const { name, tokenizerConfig, config } = files;
  checkTokenizerJson(files.tokenizer, 'tokenizer.json');
  const inner = build(files);
  let vocabularySize = 0;
  for (const id of inner.tokens.keys()) vocabularySize = Math.max(vocabularySize, id + 1);
  const embeddings = typeof config.vocab_size === 'number' ? config.vocab_size : Number.POSITIVE_INFINITY;
  const bos = tokenText(tokenizerConfig.bos_token);
  const eos = tokenText(tokenizerConfig.eos_token);
  const idOf = (token: string | undefined) => (token === undefined ? undefined : inner.idOf(token));
  const templates = chatTemplatesOf(tokenizerConfig.chat_template, files.chatTemplate);
  const renderers = new Map([...templates].map(([key, source]) => [key, chatTemplate(source, { bos, eos })]));

  return {
    vocabularySize,
    bosTokenId: idOf(bos) ?? tokenIds(config.bos_token_id)[0],
    eosTokenIds: eosIds(files, idOf(eos)),
    chatTemplate: templates.get(DEFAULT_TEMPLATE),
    chatTemplates: [...templates.keys()],
    encode(text, { addSpecialTokens = true } = {}) {
      if (text === '' && !addSpecialTokens) return [];
      const ids = guard(() => inner.encode(text, addSpecialTokens), `${name}: tokenizer.json cannot encode the text`);
      for (const id of ids) {
        if (id >= embeddings)
          throw new MismatchError(
            `${name}: the tokenizer made the id ${id}, but the model's vocabulary ends at ${embeddings - 1}. Use the tokenizer of this model.`,
          );
      }
      return ids;
    },
    decode(ids, { skipSpecialTokens = false } = {}) {
      if (ids.length === 0) return '';
      const wrong = ids.find(
        (id) =>
          !inner.tokens.has(id) &&
          !(Number.isInteger(id) && id >= 0 && id < embeddings && id < Number.POSITIVE_INFINITY),
      );
      if (wrong !== undefined)
        throw new UsageError(
          `The token id ${wrong} is not in the vocabulary of ${name}, whose ids are 0 to ${vocabularySize - 1}.`,
        );
      // Models pad their embedding beyond the vocabulary; such an id stands for no text.
      return guard(() => inner.decode(ids, skipSpecialTokens), `${name}: tokenizer.json cannot decode the ids`);
    },
    applyChatTemplate(messages, { addGenerationPrompt = true, tools, template } = {}) {
      const usual = tools && templates.has(TOOLS_TEMPLATE) ? TOOLS_TEMPLATE : DEFAULT_TEMPLATE;
      const render = renderers.get(template ?? usual);
      if (!render && templates.size > 0)
        throw new UsageError(
          `${name} has no chat template named ${quote(template ?? usual)}; it has ${[...templates.keys()].join(', ')}. Name one of these (--chat-template).`,
        );
      if (!render)
        throw new MissingError(
          `${name} has no chat template: it was not trained for conversations. Generate from a plain prompt.`,
        );
      return render(messages, { addGenerationPrompt, tools });
    },
  };
}

function build({ name, tokenizer, tokenizerConfig }: TokenizerFiles): Pipeline {
  return guard(
    () => pipeline(tokenizer, tokenizerConfig.clean_up_tokenization_spaces === true),
    `${name}: tokenizer.json cannot be used`,
  );
}

function guard<T>(work: () => T, what: string): T {
  try {
    return work();
  } catch (cause) {
    const sentence = `${what}: ${(cause instanceof Error ? cause.message : String(cause)).slice(0, 200).replace(/\.$/, '')}.`;
    throw cause instanceof UnsupportedError
      ? new UnsupportedError(sentence, { cause })
      : new FileFormatError(sentence, { cause });
  }
}

/** A special token as tokenizer_config.json writes it: text, or an object with `content`. */
export function tokenText(token: unknown): string | undefined {
  if (typeof token === 'string') return token;
  return isRecord(token) && typeof token.content === 'string' ? token.content : undefined;
}

function tokenIds(value: unknown): number[] {
  return (Array.isArray(value) ? (value as unknown[]) : [value]).filter(
    (id): id is number => Number.isInteger(id) && (id as number) >= 0,
  );
}

/** generation_config.json knows best (chat models end a turn with another token than a text); else config.json; the tokenizer's own comes along. */
function eosIds({ generationConfig, config }: TokenizerFiles, own: number | undefined): number[] {
  const told = tokenIds(generationConfig.eos_token_id ?? config.eos_token_id);
  const all = new Set(own === undefined ? told : [...told, own]);
  return [...all].sort((a, b) => a - b);
}
