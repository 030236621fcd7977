import { recipeDifferences } from '../../../plan/recipe-words.ts';
import {
  formatBytes,
  formatChange,
  formatCount,
  formatNats,
  formatPercent,
  formatPerplexity,
  formatSpeedRatio,
} from '../../parts/format.ts';
import type { Run } from './run.ts';

/** One line of the comparison of two runs. */
export interface RunDifference {
  readonly name: string;
  readonly first: string;
  readonly second: string;
  readonly change: string;
}

/** Two runs: what was chosen differently, then figure by figure, and how the second differs. What was not measured alike, or not at all, has no difference. */
export function runDifferences(first: Run, second: Run): RunDifference[] {
  const alike = first.measuredOn === second.measuredOn && first.model.sha256 === second.model.sha256;
  const line = (name: string, value: (run: Run) => number, format: (value: number) => string): RunDifference => ({
    ...{
      name,
      first: format(value(first)),
      second: format(value(second)),
      change: changeOf(value(second), value(first)),
    },
  });
  const groups = (run: Run, key: 'attention' | 'mlp') => run.widths.reduce((sum, width) => sum + width[key], 0);
  const speed = (run: Run) => (run.speed ? formatSpeedRatio(run.speed.decode) : 'not measured');
  const divergence = ({ perplexity: { klDivergence, klStandardError = 0 } }: Run) =>
    klDivergence === undefined ? 'not measured' : `${formatNats(klDivergence)} ± ${formatNats(klStandardError)} nats`;
  return [
    ...recipeDifferences(first.recipe, second.recipe).map((field) => ({ ...field, change: '' })),
    line('Removed', ({ ratio }) => ratio, formatPercent),
    line('Parameters', ({ parametersAfter }) => parametersAfter, formatCount),
    line('Size', ({ bytes }) => bytes, formatBytes),
    line('Attention groups', (run) => groups(run, 'attention'), formatCount),
    line('Neurons', (run) => groups(run, 'mlp'), formatCount),
    {
      name: 'Perplexity',
      first: withError(first),
      second: withError(second),
      change: alike ? perplexityChange(first, second) : 'measured differently',
    },
    {
      ...{ name: 'KL from dense', first: divergence(first), second: divergence(second) },
      change: alike ? '' : 'measured differently',
    },
    {
      name: 'Decode over dense',
      first: speed(first),
      second: speed(second),
      change: alike ? speedChange(first, second) : '',
    },
  ];
}

/** Layers whose widths differ, and by how much. */
export function widthDifferences(
  first: Run,
  second: Run,
): { readonly layer: number; readonly attention: number; readonly mlp: number }[] {
  return first.widths.flatMap((width, layer) => {
    const other = second.widths[layer];
    if (!other) return [];
    const [attention, mlp] = [other.attention - width.attention, other.mlp - width.mlp];
    return attention === 0 && mlp === 0 ? [] : [{ layer, attention, mlp }];
  });
}

function changeOf(after: number, before: number): string {
  return after === before ? 'the same' : before === 0 ? '' : formatChange(after, before);
}

/** The change, and whether it is larger than both standard errors together, taken as independent: an upper bound, since the windows are the same. */
function perplexityChange({ perplexity: first }: Run, { perplexity: second }: Run): string {
  const error = Math.hypot(first.standardError, second.standardError);
  const change = changeOf(second.perplexity, first.perplexity);
  return Math.abs(second.perplexity - first.perplexity) > error || change === 'the same'
    ? change
    : `${change}, within the error`;
}

/** Speeds over the dense model, which each was measured in turn with: the runs' own speeds are of different hours. */
function speedChange({ speed: first }: Run, { speed: second }: Run): string {
  if (!first || !second) return '';
  const overlap = second.decode.low <= first.decode.high && first.decode.low <= second.decode.high;
  return overlap ? 'no difference measured' : changeOf(second.decode.value, first.decode.value);
}

function withError({ perplexity: { perplexity, standardError } }: Run): string {
  return `${formatPerplexity(perplexity)} ± ${formatPerplexity(standardError)}`;
}
