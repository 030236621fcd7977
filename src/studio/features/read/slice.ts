import type { StateCreator } from 'zustand';
import type { GeneratedToken, Generation } from '../../../worker/engine.ts';

export type Side = 'dense' | 'pruned' | 'recovered';

/** What a text was asked of: `key` tells askings apart, `ran` names the model for people ('20% removed'). */
export interface Asked {
  readonly key: string;
  readonly ran: string;
}

interface Written extends Asked {
  readonly tokens: readonly GeneratedToken[];
}

/** One model's text. While a new one is waited for, the one before stays. */
export type PaneState =
  | { readonly status: 'idle' }
  | ({ readonly status: 'waiting'; readonly before: Written | undefined } & Asked)
  | ({ readonly status: 'streaming' } & Written)
  | ({ readonly status: 'done'; readonly result: Generation } & Written)
  | ({ readonly status: 'stopped' } & Written)
  | ({ readonly status: 'failed'; readonly message: string } & Asked);

const IDLE: Readonly<Record<Side, PaneState>> = {
  dense: { status: 'idle' },
  pruned: { status: 'idle' },
  recovered: { status: 'idle' },
};

/** How text is drawn. */
export interface DrawSettings {
  readonly maxNewTokens: number;
  readonly temperature: number;
  readonly generateSeed: number;
  /** Only the so many most probable tokens; 0: all. */
  readonly topK: number;
  /** The fewest most probable tokens that reach this probability together. */
  readonly topP: number;
  /** Makes tokens that occurred less probable; 1: not. */
  readonly repetitionPenalty: number;
  /** Put the prompt into the model's chat template, where it has one. */
  readonly useChat: boolean;
}

export interface GenerateSlice extends DrawSettings {
  readonly prompt: string;
  /** Write anew by itself when the reader pauses. */
  readonly autoRead: boolean;
  /** Shade each token by how unsure the model was of it. */
  readonly showDoubt: boolean;
  readonly panes: Readonly<Record<Side, PaneState>>;
  /** Another prompt puts away what was written for the one before. */
  setPrompt(prompt: string): void;
  setGenerate(patch: Partial<DrawSettings & Pick<GenerateSlice, 'autoRead' | 'showDoubt'>>): void;
  setPane(side: Side, pane: PaneState): void;
  addToken(side: Side, token: GeneratedToken): void;
}

/** What is asked before a reader asks anything: the beginning of a story, or a message to a model that was trained for conversations. */
const FIRST_PROMPTS = {
  text: 'Once upon a time, there was a little girl named Lily. She',
  message: 'Why do gardeners prune fruit trees?',
} as const;

/** The prompt for another model: what the reader wrote stays. */
export function promptFor(chat: boolean, prompt: string): string {
  const isFirst = Object.values<string>(FIRST_PROMPTS).includes(prompt);
  return isFirst ? FIRST_PROMPTS[chat ? 'message' : 'text'] : prompt;
}

export const createGenerateSlice: StateCreator<GenerateSlice> = (set, get) => ({
  prompt: FIRST_PROMPTS.text,
  maxNewTokens: 64,
  temperature: 0,
  generateSeed: 0,
  topK: 0,
  topP: 1,
  repetitionPenalty: 1,
  useChat: true,
  autoRead: true,
  showDoubt: false,
  panes: IDLE,
  setPrompt: (prompt) => set({ prompt, panes: IDLE }),
  setGenerate: (patch) => set(patch),
  setPane: (side, pane) => set({ panes: { ...get().panes, [side]: pane } }),
  addToken(side, token) {
    const pane = get().panes[side];
    // A text that was put away meanwhile takes no more tokens.
    if (pane.status !== 'waiting' && pane.status !== 'streaming') return;
    const { key, ran } = pane;
    const tokens = pane.status === 'streaming' ? [...pane.tokens, token] : [token];
    get().setPane(side, { status: 'streaming', key, ran, tokens });
  },
});

/** The tokens that a pane shows; those of the text before while a new one is waited for. */
export function tokensOf(pane: PaneState): readonly GeneratedToken[] {
  if (pane.status === 'waiting') return pane.before?.tokens ?? [];
  return 'tokens' in pane ? pane.tokens : [];
}

/** Index of the first token that differs; undefined while the second text follows the first. */
export function firstDifference(
  dense: readonly GeneratedToken[],
  other: readonly GeneratedToken[],
): number | undefined {
  const index = other.findIndex((token, place) => dense[place] !== undefined && dense[place]?.id !== token.id);
  return index === -1 ? undefined : index;
}
