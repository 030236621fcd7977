import type { StateCreator } from 'zustand';

/** Which model is on the bench. Picked files themselves live outside of the state, under their key. */
export type ChosenModel =
  | { readonly kind: 'embedded'; readonly id: string }
  | { readonly kind: 'hub'; readonly name: string }
  | { readonly kind: 'files'; readonly key: number; readonly name: string };

/** The model that the page opens with. */
export const EMBEDDED_MODEL = 'stories';

export interface ModelSlice {
  readonly chosenModel: ChosenModel;
  /** Counts openings: the engine holds one model, so that going back to a model opens it anew. */
  readonly opening: number;
  /** What was to be opened last and could not be; the model before stayed. */
  readonly refusedModel: { readonly name: string; readonly message: string } | undefined;
  chooseModel(model: ChosenModel): void;
  setRefusedModel(refused: ModelSlice['refusedModel']): void;
}

export const createModelSlice: StateCreator<ModelSlice> = (set, get) => ({
  chosenModel: { kind: 'embedded', id: EMBEDDED_MODEL },
  opening: 0,
  refusedModel: undefined,
  chooseModel: (chosenModel) => set({ chosenModel, opening: get().opening + 1 }),
  setRefusedModel: (refusedModel) => set({ refusedModel }),
});

/** What people call it. */
export function modelName(model: ChosenModel): string {
  return model.kind === 'embedded' ? model.id : model.name;
}

/** A name for what is chosen, the same over reloads. */
export function modelKey(model: ChosenModel): string {
  switch (model.kind) {
    case 'embedded':
      return `embedded:${model.id}`;
    case 'hub':
      return `hub:${model.name}`;
    case 'files':
      return `files:${model.key}`;
  }
}
