import type { Scores } from '../../../importance/sums/scores.ts';
import type { Plan } from '../../../plan/plan.ts';
import { useBackend } from '../../data/use-engine.ts';
import { formatBytes, formatPerplexity } from '../../parts/format.ts';
import { useStudio } from '../../store.ts';
import { valueOn } from '../compare/known-curve.ts';
import { useCurrentMeasurements } from '../compare/measurements.ts';
import { ratioKey } from '../compare/sweep.ts';
import { useKnownCurve } from '../compare/use-known-curve.ts';
import { exportBytes } from '../plan/plan-outcome.ts';
import type { Dtype } from './source-dtype.ts';
import { useDtype } from './use-dtype.ts';

const FORMATS: readonly Dtype[] = ['f32', 'f16', 'q8', 'q4'];

/** What a format is, and how fast it runs where. The factors are those of docs/results.md. */
const ABOUT: Readonly<Record<Dtype, { readonly numbers: string; readonly wasm: string; readonly webgpu: string }>> = {
  f32: { numbers: 'single precision', wasm: 'the fastest on WASM', webgpu: 'runs on every adapter' },
  f16: {
    numbers: 'half precision',
    wasm: 'about as fast as f32 on WASM',
    webgpu: 'the fastest on WebGPU with f16',
  },
  q8: { numbers: '8 bits in blocks of 32', wasm: 'slow on WASM', webgpu: 'fast on WebGPU' },
  q4: {
    numbers: '4 bits in blocks of 32',
    wasm: '10 to 18 times slower than f32 on WASM',
    webgpu: 'fast on WebGPU and in Node',
  },
};

/** The number formats side by side, each with its size, its perplexity as far as that is known, and how fast it runs on this backend. */
export function FormatCards({ plan, scores }: { readonly plan: Plan; readonly scores: Scores }) {
  const chosen = useDtype();
  const changeRecipe = useStudio((state) => state.changeRecipe);
  const { data: backend } = useBackend();
  const measured = useCurrentMeasurements();
  const curve = useKnownCurve();
  const ratio = ratioKey(plan.ratio);
  const bench = valueOn(curve, ratio);
  const perplexityOf = (dtype: Dtype): string => {
    const built = measured.exported.get(`${ratio} ${dtype}`);
    if (built) return `perplexity ${formatPerplexity(built.perplexity)}, measured on the file`;
    if (dtype === 'q8' || dtype === 'q4') return 'perplexity is measured when it is built';
    return bench
      ? `perplexity ${bench.source === 'own' ? '' : '≈ '}${formatPerplexity(bench.value)}`
      : 'not measured yet';
  };
  return (
    <fieldset className="format-cards">
      <legend className="visually-hidden">Numbers as</legend>
      {FORMATS.map((dtype) => (
        <label key={dtype} className={dtype === chosen ? 'format-card chosen' : 'format-card'}>
          <input
            type="radio"
            name="dtype"
            className="visually-hidden"
            value={dtype}
            checked={dtype === chosen}
            onChange={() => changeRecipe({ dtype })}
          />
          <span className="format-name">
            <strong>{dtype}</strong> <span className="soft">{ABOUT[dtype].numbers}</span>
          </span>
          <span className="format-size">{formatBytes(exportBytes(scores, plan, dtype))}</span>
          <span className="soft">{perplexityOf(dtype)}</span>
          <span className={dtype === 'q4' && backend?.backend === 'wasm' ? 'format-warning' : 'soft'}>
            {ABOUT[dtype][backend?.backend ?? 'wasm']}
          </span>
        </label>
      ))}
    </fieldset>
  );
}
