import type { Operator } from './operator.ts';
import { scatterND } from './scatter-nd.ts';

/** Writes or adds elements at indices along one axis; it appears in gradients of GatherElements. */
export const scatterElements: Operator = { ...scatterND, type: 'ScatterElements' };
