import type { Programs } from '../architecture/programs.ts';
import type { WeightStore } from '../architecture/weight-store.ts';
import { MismatchError } from '../errors.ts';
import { type Teacher, teach, teacherGradient } from '../evaluate/divergence/teacher.ts';
import type { LongRunning, Progress } from '../progress.ts';
import type { TrainingBatch, TrainingWindow } from './training-windows.ts';

/** What a training makes small: KL from a teacher, cross-entropy with the text, or the mean of both. */
export type RecoveryLoss = 'kl' | 'text' | 'both';

/** What the teacher says may take so many bytes: fewer tokens of each position are kept where the text is long. */
const TEACHER_BYTES = 256 << 20;
const BYTES_PER_TOKEN = Int32Array.BYTES_PER_ELEMENT + Float32Array.BYTES_PER_ELEMENT;
const [LEAST_TOP, MOST_TOP] = [8, 64];

/** What a teacher says on the windows of a training, computed before its first step, so that a training that goes on learns from the same numbers. */
export class Distillation {
  readonly loss: Exclude<RecoveryLoss, 'text'>;
  readonly #top: number;
  readonly #known: ReadonlyMap<TrainingWindow, Pick<Teacher, 'tokens' | 'logProbabilities'>>;

  private constructor(
    loss: Exclude<RecoveryLoss, 'text'>,
    top: number,
    known: ReadonlyMap<TrainingWindow, Pick<Teacher, 'tokens' | 'logProbabilities'>>,
  ) {
    this.loss = loss;
    this.#top = top;
    this.#known = known;
  }

  /** Runs the teacher over the windows, those of equal length together, layer by layer as any forward pass. */
  static async prepare(
    programs: Programs,
    store: WeightStore,
    windows: readonly TrainingWindow[],
    { loss, onProgress, ...running }: LongRunning & { readonly loss: Exclude<RecoveryLoss, 'text'> },
  ): Promise<Distillation> {
    const positions = windows.reduce((sum, { tokens }) => sum + tokens.length, 0);
    const room = Math.floor(TEACHER_BYTES / (BYTES_PER_TOKEN * Math.max(1, positions)));
    const top = Math.min(store.model.architecture.config.vocabulary, Math.max(LEAST_TOP, Math.min(MOST_TOP, room)));
    const byLength = new Map<number, TrainingWindow[]>();
    for (const window of windows)
      byLength.set(window.tokens.length, [...(byLength.get(window.tokens.length) ?? []), window]);
    const known = new Map<TrainingWindow, Pick<Teacher, 'tokens' | 'logProbabilities'>>();
    for (const [length, alike] of byLength) {
      const texts = alike.map(({ tokens }) => tokens);
      const before = known.size;
      const said = await teach(programs, store, texts, {
        ...running,
        top,
        ...(onProgress && {
          onProgress: (progress: Progress) =>
            onProgress({ ...progress, completed: before + progress.completed, total: windows.length }),
        }),
      });
      for (const [index, window] of alike.entries()) {
        const [start, end] = [index * length * top, (index + 1) * length * top];
        known.set(window, {
          tokens: said.tokens.subarray(start, end),
          logProbabilities: said.logProbabilities.subarray(start, end),
        });
      }
    }
    return new Distillation(loss, top, known);
  }

  /** What the teacher says at the rows of a batch that are learnt, in their order. */
  of(windows: readonly TrainingWindow[], { rows, tokens: width }: Pick<TrainingBatch, 'rows' | 'tokens'>): Teacher {
    const top = this.#top;
    const tokens = new Int32Array(rows.length * top);
    const logProbabilities = new Float32Array(tokens.length);
    for (const [index, row] of rows.entries()) {
      const said = this.#known.get(windows[Math.floor(row / width)] as TrainingWindow);
      if (!said) throw new MismatchError('The teacher was not run on a window that is trained on.');
      const start = (row % width) * top;
      tokens.set(said.tokens.subarray(start, start + top), index * top);
      logProbabilities.set(said.logProbabilities.subarray(start, start + top), index * top);
    }
    return { windows: [], top, tokens, logProbabilities };
  }
}

/**
 * Turns the model's probabilities [vocabulary] of one learnt row into the gradient of `weight` times its loss with respect to its logits, in place, and returns the loss in nats. `row` is its place
 * among the learnt rows of the batch, `target` the text's next token and `crossEntropy` its loss.
 */
export function distilledGradient(
  { teacher, loss }: NonNullable<TrainingBatch['taught']>,
  row: number,
  probabilities: Float32Array,
  weight: number,
  text: { readonly target: number; readonly crossEntropy: number },
): number {
  if (loss === 'kl') return teacherGradient(teacher, row, probabilities, weight);
  const own = probabilities.slice();
  const divergence = teacherGradient(teacher, row, probabilities, weight / 2);
  for (let token = 0; token < own.length; token++)
    probabilities[token] = (probabilities[token] as number) + (weight / 2) * (own[token] as number);
  probabilities[text.target] = (probabilities[text.target] as number) - weight / 2;
  return (divergence + text.crossEntropy) / 2;
}
