import type { ChatMessage } from '../checkpoint/tokenizer/chat-template.ts';
import { MissingError, UsageError } from '../errors.ts';
import type { GeneratedToken, Generation } from '../generate/generate.ts';
import { decoderForModel } from '../generate/model-decoder.ts';
import type { LongRunning } from '../progress.ts';
import type { ExportedModel } from './exported-model.ts';
import { type GenerateOptions, generateTokens } from './generate.ts';
import { OpenModel } from './open-model.ts';

/** How a conversation begins, and how its answers are made unless `send` says otherwise. */
export interface OpenChatOptions extends Omit<GenerateOptions, 'prompt' | 'onToken'>, LongRunning {
  /** What the model is told before the first question. */
  readonly system?: string;
  /** A conversation to go on from. */
  readonly messages?: readonly ChatMessage[];
}

/** A conversation with a model, whose decoder is open until the conversation is disposed. */
export interface Chat extends Disposable {
  /** What was said so far. An answer stands here when it is whole. */
  readonly messages: readonly ChatMessage[];
  /**
   * Asks, and yields the answer token by token; returns the whole. An answer that is not read to its end is not part of the conversation, nor is its question.
   * Throws UsageError while another answer is being read, or where the conversation is longer than the model holds, and CancelledError.
   */
  send(
    question: string,
    options?: Omit<GenerateOptions, 'prompt' | 'onToken'>,
  ): AsyncGenerator<GeneratedToken, Generation, undefined>;
}

/** Opens a conversation with a model or an exported decoder. Dispose it before the model. Throws MissingError where the model has no chat template. */
export async function openChat(model: OpenModel | ExportedModel, options: OpenChatOptions = {}): Promise<Chat> {
  const { system, messages: before = [], signal, onProgress, ...usual } = options;
  const tokenizer = await model.tokenizer();
  if (tokenizer.chatTemplate === undefined)
    throw new MissingError(
      'The model has no chat template, so it was not trained for conversations. Continue a text with generate instead.',
    );
  const owned =
    model instanceof OpenModel ? await decoderForModel(model.runtime, model.model, { signal, onProgress }) : undefined;
  const decoder = owned ?? (model as ExportedModel).decoder;
  const generator = { decoder, tokenizer: async () => tokenizer, maximumPositions: model.maximumPositions };
  const messages: ChatMessage[] = [];
  if (system !== undefined) messages.push({ role: 'system', content: system });
  messages.push(...before);
  let isAnswering = false;
  return {
    messages,
    async *send(question, asked = {}) {
      if (isAnswering) throw new UsageError('An answer is being read; read it to its end, or leave its loop, first.');
      isAnswering = true;
      try {
        const turn: ChatMessage = { role: 'user', content: question };
        const answer = yield* generateTokens(generator, { ...usual, ...asked, prompt: [...messages, turn] });
        messages.push(turn, { role: 'assistant', content: answer.text });
        return answer;
      } finally {
        isAnswering = false;
      }
    },
    [Symbol.dispose]: () => owned?.dispose(),
  };
}
