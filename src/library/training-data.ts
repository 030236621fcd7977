import { isRecord, type JsonRecord } from '../checkpoint/files/json.ts';
import type { ChatMessage } from '../checkpoint/tokenizer/chat-template.ts';
import type { Tokenizer } from '../checkpoint/tokenizer/tokenizer.ts';
import { FileFormatError, MissingError, UnsupportedError, UsageError } from '../errors.ts';
import { decode, type TextFile } from '../evaluate/text.ts';
import { tokenWindows } from '../evaluate/token-windows.ts';
import type { TrainingWindow } from '../recovery/training-windows.ts';

/** Windows to train on, and what was done to get them. */
export interface TrainingData {
  /** What is learnt. */
  readonly windows: readonly TrainingWindow[];
  /** Tokens that are learnt. */
  readonly learnt: number;
  /** Examples that were cut to the window. */
  readonly truncated: number;
  /** Examples whose answer lies beyond the window as a whole. */
  readonly dropped: number;
}

/** How files become windows. */
export interface TrainingDataOptions {
  /** Tokens of a window. */
  readonly length: number;
  /** Windows of plain text at most, drawn by seed. */
  readonly windows?: number | undefined;
  /** Of the choice and the order of windows. */
  readonly seed?: number | undefined;
}

/** What one line of a file says. */
type Line =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'instruction'; readonly prompt: string; readonly output: string }
  | { readonly kind: 'chat'; readonly messages: readonly ChatMessage[] };

const PLAIN = /\.(txt|raw|md|text)$/i;
const LINES = /\.(jsonl|ndjson)$/i;
const ARRAY = /\.json$/i;

const FORMS = 'a "text", an "instruction" with an "output" (and an "input"), or "messages"';

/**
 * Training windows from files, by their names: plain text (.txt, .raw, .md), JSON lines (.jsonl), or a JSON array (.json) of records with a `text`, with
 * `instruction`, `input` and `output` (Alpaca), or with chat `messages` (by the model's chat template).
 * Texts are packed: joined by blank lines, tokenised once, cut into windows of `length` without overlap, a last partial one dropped; everything is learnt.
 * Instructions and chats are one window each, cut to `length`; only what the assistant says is learnt, and its end token.
 * Throws UsageError and FileFormatError naming file, line, field and remedy.
 */
export function readTrainingData(
  files: readonly TextFile[],
  tokenizer: Tokenizer,
  { length, windows: most, seed }: TrainingDataOptions,
): TrainingData {
  const texts: string[] = [];
  const windows: TrainingWindow[] = [];
  let [truncated, dropped] = [0, 0];
  for (const file of files) {
    for (const line of readLines(file)) {
      if (line.kind === 'text') {
        texts.push(line.text);
        continue;
      }
      if (line.kind === 'chat' && tokenizer.chatTemplate === undefined)
        throw new MissingError(
          `${file.name} has chat "messages", but the model has no chat template. Give records with "instruction" and "output" instead.`,
        );
      const { tokens, learn } =
        line.kind === 'chat' ? chatTokens(line.messages, tokenizer) : instructionTokens(line, tokenizer);
      if (tokens.length > length) truncated += 1;
      const window = { tokens: tokens.slice(0, length), learn: learn.slice(0, length) };
      if (window.learn.includes(1)) windows.push(window);
      else dropped += 1;
    }
  }
  if (dropped > 0 && windows.length === 0 && texts.length === 0)
    throw new UsageError(
      `Every answer begins after the first ${length} tokens, so there is nothing to learn. Give longer windows.`,
    );
  const text = texts.join('\n\n');
  if (text.trim() !== '') {
    const ids = tokenizer.encode(text, { addSpecialTokens: false });
    const count = most === undefined || most >= Math.floor(ids.length / length) ? undefined : most;
    windows.push(...tokenWindows(ids, { length, count, seed }).map((tokens) => ({ tokens })));
  }
  if (windows.length === 0)
    throw new UsageError(
      `There is no text in ${files.map(({ name }) => name).join(', ') || 'the files: none were given'}.`,
    );
  const learnt = windows.reduce(
    (sum, { tokens, learn }) =>
      sum + (learn ? Array.from(learn).filter((flag, place) => flag === 1 && place > 0).length : tokens.length - 1),
    0,
  );
  return { windows, learnt, truncated, dropped };
}

function readLines(file: TextFile): Line[] {
  const { name } = file;
  if (PLAIN.test(name)) return [{ kind: 'text', text: decode(file) }];
  if (LINES.test(name)) {
    return decode(file)
      .split('\n')
      .flatMap((line, index) =>
        line.trim() === ''
          ? []
          : [parseLine(parseJson(line, `${name}, line ${index + 1},`), `${name}, line ${index + 1},`)],
      );
  }
  if (ARRAY.test(name)) {
    const value = parseJson(decode(file), name);
    if (!Array.isArray(value))
      throw new FileFormatError(
        `${name} is not a JSON array of records, each with ${FORMS}. One record a line belongs in a .jsonl file.`,
      );
    return (value as unknown[]).map((record, index) => parseLine(record, `${name}, record ${index + 1},`));
  }
  throw new UsageError(
    `${name} is not a kind of training file that is read: plain text (.txt, .raw, .md), JSON lines (.jsonl) or a JSON array (.json).`,
  );
}

function parseJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new FileFormatError(`${where} is not valid JSON. A record is an object with ${FORMS}.`, { cause });
  }
}

/** One record. `where` names file and line in errors. */
function parseLine(value: unknown, where: string): Line {
  if (!isRecord(value)) throw new FileFormatError(`${where} is not an object; a record has ${FORMS}.`);
  if (value.messages !== undefined) return { kind: 'chat', messages: parseMessages(value.messages, where) };
  if (value.instruction !== undefined || value.output !== undefined) {
    const [instruction, output] = [field(value, 'instruction', where), field(value, 'output', where)];
    const input = value.input === undefined || value.input === null ? '' : field(value, 'input', where);
    if (output.trim() === '')
      throw new FileFormatError(
        `${where} has an empty "output", so there is nothing to learn. Fill it or leave the record out.`,
      );
    return { kind: 'instruction', prompt: alpacaPrompt(instruction, input), output };
  }
  if (value.text !== undefined) return { kind: 'text', text: field(value, 'text', where) };
  throw new FileFormatError(
    `${where} has none of the fields that are read; it needs ${FORMS}. It has ${Object.keys(value).slice(0, 5).join(', ') || 'no fields'}.`,
  );
}

function field(record: JsonRecord, name: string, where: string): string {
  const value = record[name];
  if (typeof value === 'string') return value;
  throw new FileFormatError(
    `${where} has ${value === undefined ? `no "${name}"` : `the "${name}" ${JSON.stringify(value).slice(0, 40)}`}; it must be a string.`,
  );
}

const ROLES = ['system', 'user', 'assistant'] as const;

function parseMessages(value: unknown, where: string): ChatMessage[] {
  if (!Array.isArray(value) || value.length === 0)
    throw new FileFormatError(
      `${where} has "messages" that are not a list of at least one message with "role" and "content".`,
    );
  const messages = (value as unknown[]).map((message, index): ChatMessage => {
    const place = `${where} message ${index + 1},`;
    if (!isRecord(message)) throw new FileFormatError(`${place} is not an object with "role" and "content".`);
    const role = ROLES.find((known) => known === message.role);
    if (!role)
      throw new FileFormatError(
        `${place} has the "role" ${JSON.stringify(message.role) ?? 'missing'}; it must be ${ROLES.join(', ')}.`,
      );
    return { role, content: field(message, 'content', place) };
  });
  if (!messages.some(({ role }) => role === 'assistant'))
    throw new FileFormatError(
      `${where} has no message of the assistant, so there is nothing to learn. Add its answer or leave the record out.`,
    );
  return messages;
}

/** The prompt of Stanford Alpaca, which LLM-Pruner's recovery uses too. */
function alpacaPrompt(instruction: string, input: string): string {
  const head =
    input === ''
      ? 'Below is an instruction that describes a task. Write a response that appropriately completes the request.'
      : 'Below is an instruction that describes a task, paired with an input that provides further context. Write a response that appropriately completes the request.';
  return `${head}\n\n### Instruction:\n${instruction}\n\n${input === '' ? '' : `### Input:\n${input}\n\n`}### Response:\n`;
}

interface MaskedTokens {
  readonly tokens: number[];
  /** 1 where a token is learnt. */
  readonly learn: number[];
}

function instructionTokens(
  { prompt, output }: { readonly prompt: string; readonly output: string },
  tokenizer: Tokenizer,
): MaskedTokens {
  const context = tokenizer.encode(prompt);
  const end = tokenizer.eosTokenIds.slice(0, 1);
  // What the tokenizer puts at the end of a text belongs behind the answer.
  if (end[0] !== undefined && context.at(-1) === end[0]) context.pop();
  const answer = [...tokenizer.encode(output, { addSpecialTokens: false }), ...end];
  return { tokens: [...context, ...answer], learn: [...context.map(() => 0), ...answer.map(() => 1)] };
}

/** A chat piece by piece: what the template adds for an answer of the assistant is learnt, and what it adds before one is context. */
function chatTokens(messages: readonly ChatMessage[], tokenizer: Tokenizer): MaskedTokens {
  const tokens: number[] = [];
  const learn: number[] = [];
  let written = '';
  const add = (text: string, flag: number) => {
    if (!text.startsWith(written))
      throw new UnsupportedError(
        "The model's chat template writes earlier messages anew as a conversation goes on, so that its answers cannot be told apart. Give conversations with one answer each.",
      );
    const ids = tokenizer.encode(text.slice(written.length), { addSpecialTokens: false });
    written = text;
    tokens.push(...ids);
    learn.push(...ids.map(() => flag));
  };
  for (const [index, { role }] of messages.entries()) {
    if (role !== 'assistant') continue;
    add(tokenizer.applyChatTemplate(messages.slice(0, index), { addGenerationPrompt: true }), 0);
    add(tokenizer.applyChatTemplate(messages.slice(0, index + 1), { addGenerationPrompt: false }), 1);
  }
  return { tokens, learn };
}
