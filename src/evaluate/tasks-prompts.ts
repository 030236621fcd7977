import type { TaskItem } from './tasks.ts';

/** What a model reads and what it is scored on. `choices` are the texts whose bytes normalise a log-likelihood: without the delimiter in front. */
export interface Prompt {
  /** What is read first. */
  readonly context: string;
  /** What is scored after it, one for each choice. */
  readonly continuations: readonly string[];
  /** The choices as the item has them. */
  readonly choices: readonly string[];
}

/** How the items of a task become prompts. */
export type PromptFormat = (item: TaskItem) => Prompt;

/**
 * How a task's items become prompts: as lm-evaluation-harness writes them (lm_eval/tasks, August 2026), from queries in the layout of the
 * tasks folder, where the fields of the original data sets are already joined. Every other task is the query, a space and the choice.
 *
 * | task | query in the file | context | continuation | harness metrics |
 * |---|---|---|---|---|
 * | arc_easy, arc_challenge | `Question: Q` | `Question: Q\nAnswer:` | ` choice` | acc, acc_norm |
 * | piqa | `Question: Q\n` | `Question: Q\nAnswer:` | ` choice` | acc, acc_norm |
 * | boolq | `Passage: P\nQuestion: Q?` | `P\nQuestion: Q?\nAnswer:` | ` no`, ` yes` | acc |
 * | hellaswag | `Activity: A. b` | the same, the unfinished last sentence capitalised as Python does | ` choice` | acc, acc_norm |
 * | openbook_qa | `Q` | `Q` | ` choice` | acc, acc_norm |
 * | copa | `Premise, therefore` | `Premise therefore` | `  choice` in lower case, two spaces | acc |
 *
 * The harness normalises acc_norm by the choice's characters and acc_bytes by its UTF-8 bytes; here it is bytes (docs/method.md section 8),
 * which differs only where a choice is not ASCII.
 */
export function promptFormat(task: string): PromptFormat {
  return FORMATS[task.toLowerCase().replaceAll('-', '_')] ?? joinedBySpace;
}

const joinedBySpace: PromptFormat = ({ query, choices }) => prompt(query, choices);

const answered: PromptFormat = ({ query, choices }) => {
  const question = query.trimEnd();
  return prompt(question.endsWith('\nAnswer:') ? question : `${question}\nAnswer:`, choices);
};

const FORMATS: Readonly<Record<string, PromptFormat>> = {
  arc_easy: answered,
  arc_challenge: answered,
  piqa: answered,
  boolq: ({ query, ...rest }) => answered({ query: query.replace(/^Passage: /, ''), ...rest }),
  // The second part of a context, joined by a space, is lower-case in the data; the harness capitalises it. Then it cleans up WikiHow's brackets.
  hellaswag: ({ query, choices }) =>
    prompt(
      withoutBrackets(query.replace(/(?<=[.!?]["')]*\s+)[a-z][^.!?]*$/, capitalised)),
      choices.map(withoutBrackets),
    ),
  // The harness puts a space into the choice and one before it.
  copa: ({ query, choices }) =>
    prompt(
      query.replace(/,? (because|therefore)$/, ' $1'),
      choices.map((choice) => ` ${choice.charAt(0).toLowerCase()}${choice.slice(1)}`),
    ),
};

/** Python's str.capitalize. */
const capitalised = (text: string) => `${text.charAt(0).toUpperCase()}${text.slice(1).toLowerCase()}`;

function prompt(context: string, choices: readonly string[]): Prompt {
  return { context, choices, continuations: choices.map((choice) => ` ${choice}`) };
}

function withoutBrackets(text: string): string {
  return text
    .trim()
    .replaceAll(' [title]', '. ')
    .replaceAll(/\[.*?\]/g, '')
    .replaceAll('  ', ' ');
}
