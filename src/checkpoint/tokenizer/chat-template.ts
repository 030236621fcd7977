import type { Template } from '@huggingface/jinja';
import { FileFormatError, UsageError } from '../../errors.ts';
import { parseTemplate, renderBounded, TemplateLimitError } from './bounded-jinja.ts';

export interface ChatMessage {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string;
}

export interface ChatTokens {
  readonly bos: string | undefined;
  readonly eos: string | undefined;
}

/**
 * Compiles a model's Jinja chat template on first use. The function throws FileFormatError when the template is broken or asks for more than any
 * conversation needs, UsageError when it refuses the messages.
 */
export function chatTemplate(
  source: string,
  tokens: ChatTokens,
): (messages: readonly ChatMessage[], addGenerationPrompt: boolean) => string {
  let compiled: Template | undefined;
  return (messages, addGenerationPrompt) => {
    try {
      compiled ??= parseTemplate(source);
    } catch (cause) {
      throw new FileFormatError(
        `The model's chat template cannot be read: ${reason(cause)}. Generate from a plain prompt instead.`,
        { cause },
      );
    }
    try {
      return renderBounded(compiled, {
        messages: messages.map(({ role, content }) => ({ role, content })),
        add_generation_prompt: addGenerationPrompt,
        bos_token: tokens.bos ?? '',
        eos_token: tokens.eos ?? '',
      });
    } catch (cause) {
      if (cause instanceof TemplateLimitError)
        throw new FileFormatError(
          `The model's chat template is refused because ${cause.message}. Generate from a plain prompt instead.`,
          { cause },
        );
      throw new UsageError(`The model's chat template refuses these messages: ${reason(cause)}.`, { cause });
    }
  };
}

function reason(cause: unknown): string {
  return (cause instanceof Error ? cause.message : String(cause)).slice(0, 200).replace(/\.$/, '');
}
