import type { Plan } from '../../surgery/plan.ts';
import { fingerprint } from '../state/fingerprint.ts';

const known = new WeakMap<Plan['layers'], string>();

/** What tells the groups apart that plans keep; made once for a plan, since panels ask for it whenever they are drawn. */
export function planFingerprint({ layers }: Plan): string {
  const found = known.get(layers) ?? fingerprint(JSON.stringify(layers));
  known.set(layers, found);
  return found;
}
