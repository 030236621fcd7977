import type { Plan } from '../../../plan/plan.ts';
import { fingerprint } from '../../data/fingerprint.ts';
import type { RecoveredColumn } from '../recovery/slice.ts';

const known = new WeakMap<Plan['layers'], string>();

/** What tells the groups apart that plans keep; made once for a plan, since panels ask for it whenever they are drawn. */
export function planFingerprint({ layers }: Plan): string {
  const found = known.get(layers) ?? fingerprint(JSON.stringify(layers));
  known.set(layers, found);
  return found;
}

/** What tells recovered models apart: plan, method and losses. The same training made again, or brought back after a reload, is the same one. */
export function trainingFingerprint({ plan, method, result: { history } }: RecoveredColumn): string {
  return fingerprint(
    JSON.stringify([
      planFingerprint(plan),
      method,
      history.map(({ step, loss, heldOutLoss }) => [step, loss, heldOutLoss]),
    ]),
  );
}
