/** Ratios that the page measures by itself, from coarse to fine, so that the curves take shape early. */
export const SWEEP_RATIOS = [0.2, 0.5, 0.8, 0.1, 0.3, 0.4, 0.6, 0.7] as const;

/** Where other methods are measured. */
export const METHOD_RATIOS = [0.1, 0.2, 0.3, 0.4, 0.5] as const;

/** One thing to measure next; ratio 0 is the dense model. Speed is always measured against the dense model in turn, so ratio 0 has none of its own. */
export interface SweepStep {
  readonly ratio: number;
  readonly what: 'perplexity' | 'speed';
  /** Another method's name; absent for the reader's recipe. */
  readonly method?: string;
}

/** A ratio as the key of measured results: a tenth of a percent. */
export function ratioKey(ratio: number): number {
  return Math.round(ratio * 1000) / 1000;
}

/**
 * The order of measuring: first what the reader looks at (chosen ratio, then dense, each perplexity before speed), then the rest of the curves,
 * then the methods beside them. What is measured already is left out.
 */
export function sweepSteps(
  chosen: number,
  methods: readonly string[],
  measured: (step: SweepStep) => boolean,
): SweepStep[] {
  const ratios = [...new Set([ratioKey(chosen), 0, ...SWEEP_RATIOS])];
  const steps = (what: SweepStep['what'], some: readonly number[]): SweepStep[] =>
    some.map((ratio) => ({ ratio, what }));
  const [looked, rest] = [ratios.slice(0, 2), ratios.slice(2)];
  const beside = METHOD_RATIOS.flatMap((ratio) =>
    methods.map((method) => ({ ratio, what: 'perplexity', method }) as const),
  );
  return [
    ...steps('perplexity', looked),
    ...steps('speed', looked),
    ...steps('perplexity', rest),
    ...steps('speed', rest),
    ...beside,
  ].filter((step) => !(step.what === 'speed' && step.ratio === 0) && !measured(step));
}
