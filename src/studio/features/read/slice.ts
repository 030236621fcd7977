import type { StateCreator } from 'zustand';
import type { GeneratedToken, Generation } from '../../../worker/engine.ts';

export type Side = 'dense' | 'pruned' | 'recovered';

/** One column of the side-by-side generation. */
export type PaneState =
  | { readonly status: 'idle' }
  | { readonly status: 'waiting' }
  | { readonly status: 'streaming'; readonly tokens: readonly GeneratedToken[] }
  | {
      readonly status: 'done';
      readonly tokens: readonly GeneratedToken[];
      readonly result: Generation /** What was run, for people. */;
      readonly ran: string;
    }
  | { readonly status: 'stopped'; readonly tokens: readonly GeneratedToken[] }
  | { readonly status: 'failed'; readonly message: string };

export interface GenerateSlice {
  readonly prompt: string;
  readonly maxNewTokens: number;
  readonly temperature: number;
  readonly generateSeed: number;
  /** Put the prompt into the model's chat template, where it has one. */
  readonly useChat: boolean;
  /** Shade each token by how unsure the model was of it. */
  readonly showDoubt: boolean;
  readonly panes: Readonly<Record<Side, PaneState>>;
  setGenerate(
    patch: Partial<
      Pick<GenerateSlice, 'prompt' | 'maxNewTokens' | 'temperature' | 'generateSeed' | 'useChat' | 'showDoubt'>
    >,
  ): void;
  setPane(side: Side, pane: PaneState): void;
  addToken(side: Side, token: GeneratedToken): void;
}

export const createGenerateSlice: StateCreator<GenerateSlice> = (set, get) => ({
  prompt: 'Once upon a time, there was a little girl named Lily. She',
  maxNewTokens: 80,
  temperature: 0,
  generateSeed: 0,
  useChat: true,
  showDoubt: false,
  panes: { dense: { status: 'idle' }, pruned: { status: 'idle' }, recovered: { status: 'idle' } },
  setGenerate: (patch) => set(patch),
  setPane: (side, pane) => set({ panes: { ...get().panes, [side]: pane } }),
  addToken(side, token) {
    const pane = get().panes[side];
    const tokens = pane.status === 'streaming' ? [...pane.tokens, token] : [token];
    get().setPane(side, { status: 'streaming', tokens });
  },
});
