import type { ConformanceCase } from './conformance/case.ts';
import { ELEMENTWISE_CASES } from './conformance/elementwise.ts';
import { FUSED_CASES } from './conformance/fused.ts';
import { OWNERSHIP_CASES } from './conformance/ownership.ts';
import { PRODUCT_CASES } from './conformance/products.ts';
import { REDUCTION_CASES } from './conformance/reductions.ts';
import { SESSION_CASES } from './conformance/sessions.ts';
import { SHAPE_CASES } from './conformance/shapes.ts';

export type { ConformanceCase } from './conformance/case.ts';

/** What a `Runtime` must do, compared with plain calculations. Run by Vitest on Node and by Playwright in a browser. */
export const CONFORMANCE_CASES: readonly ConformanceCase[] = [
  ...PRODUCT_CASES,
  ...ELEMENTWISE_CASES,
  ...REDUCTION_CASES,
  ...SHAPE_CASES,
  ...FUSED_CASES,
  ...SESSION_CASES,
  ...OWNERSHIP_CASES,
];
