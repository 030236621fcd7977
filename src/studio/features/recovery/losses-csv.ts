import type { RecoveryRecord } from '../../../library/recover.ts';

/** The losses of a training as CSV, in nats: one line per step, empty where nothing was measured. Step 0 is before the first. */
export function lossesCsv(points: readonly Pick<RecoveryRecord, 'step' | 'loss' | 'heldOutLoss'>[]): string {
  const lines = points.map(({ step, loss, heldOutLoss }) => [step, loss ?? '', heldOutLoss ?? ''].join(','));
  return `${['step,training_loss,held_out_loss', ...lines].join('\n')}\n`;
}
