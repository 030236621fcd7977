import { FileFormatError, UnsupportedError, UsageError } from '../../errors.ts';
import { parseTemplate, RaisedException, renderBounded } from './bounded-jinja.ts';
import type { Node } from './jinja/nodes.ts';
import { TemplateLackError, TemplateLimitError } from './jinja/values.ts';

/** One message of a conversation. */
export interface ChatMessage {
  /** Who speaks. */
  readonly role: 'system' | 'user' | 'assistant';
  /** What is said. */
  readonly content: string;
}

export interface ChatTokens {
  readonly bos: string | undefined;
  readonly eos: string | undefined;
}

/** Which template is used, and what it gets besides the conversation. */
export interface ChatOptions {
  /** Of several templates, the one of this name; default: 'tool_use' with `tools` where there is one, else 'default'. */
  readonly template?: string | undefined;
  /** Whether the prompt ends where the answer begins. */
  readonly addGenerationPrompt: boolean;
  /** Functions that the model may call, as JSON schemas in the form that its template expects. */
  readonly tools?: readonly unknown[] | undefined;
}

/**
 * Compiles a model's Jinja chat template on first use. The function throws FileFormatError when the template is broken or asks for more than any
 * conversation needs, UnsupportedError when it uses what this engine lacks, UsageError when it refuses the messages or fails on them.
 * @param now the time that `strftime_now` tells
 */
export function chatTemplate(
  source: string,
  tokens: ChatTokens,
  now: () => Date = () => new Date(),
): (messages: readonly ChatMessage[], options: Omit<ChatOptions, 'template'>) => string {
  let compiled: Node | undefined;
  return (messages, { addGenerationPrompt, tools }) => {
    try {
      compiled ??= parseTemplate(source);
    } catch (cause) {
      if (cause instanceof TemplateLackError) throw explained(cause);
      throw new FileFormatError(
        `The model's chat template cannot be read: ${reason(cause)}. Generate from a plain prompt instead.`,
        { cause },
      );
    }
    const variables = {
      messages,
      tools: tools ?? null,
      documents: null,
      add_generation_prompt: addGenerationPrompt,
      ...(tokens.bos !== undefined && { bos_token: tokens.bos }),
      ...(tokens.eos !== undefined && { eos_token: tokens.eos }),
    };
    try {
      return renderBounded(compiled, variables, now());
    } catch (cause) {
      throw explained(cause);
    }
  };
}

function explained(cause: unknown): Error {
  if (cause instanceof TemplateLimitError)
    return new FileFormatError(
      `The model's chat template is refused because ${reason(cause)}. Generate from a plain prompt instead.`,
      { cause },
    );
  if (cause instanceof TemplateLackError)
    return new UnsupportedError(
      `The model's chat template uses ${reason(cause)}, which is not supported here. Generate from a plain prompt instead.`,
      { cause },
    );
  if (cause instanceof RaisedException)
    return new UsageError(`The model's chat template refuses these messages: ${reason(cause)}.`, { cause });
  return new UsageError(`The model's chat template fails on these messages: ${reason(cause)}.`, { cause });
}

function reason(cause: unknown): string {
  return (cause instanceof Error ? cause.message : String(cause)).slice(0, 200).replace(/\.$/, '');
}
