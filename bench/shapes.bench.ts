import { openNamed } from '../src/checkpoint/local.ts';
import { readBytes } from '../src/cli/input-file.ts';
import { readTextIds } from '../src/cli/text-files.ts';
import { DenseReference } from '../src/evaluate/divergence/dense-reference.ts';
import { tokenWindows } from '../src/evaluate/token-windows.ts';
import { decodeScores } from '../src/importance/files/score-file.ts';
import { evaluate } from '../src/library/evaluate.ts';
import { OpenModel } from '../src/library/open-model.ts';
import { planFor } from '../src/library/plan.ts';
import { createNodeRuntime } from '../src/runtime/node.ts';

const SHAPES = ['free', 'uniform', 'standard'] as const;
const LENGTH = 128;

/**
 * What a plain shape costs beside a free one, without compensation: perplexity and divergence from the dense model.
 * Options: a model, its scores (`espalier score`), a text, tokens of the text (default 4096), ratios separated by commas (default 0.1,0.2,0.3).
 */
export async function run([
  name = '',
  scoreFile = '',
  text = '',
  tokens = '4096',
  ratios = '0.1,0.2,0.3',
]: readonly string[]): Promise<void> {
  if (text === '') {
    console.log('Give a model, its scores and a text: npm run bench -- shapes MODEL SCORES TEXT [TOKENS] [RATIOS]');
    return;
  }
  using runtime = await createNodeRuntime();
  using open = new OpenModel(runtime, await openNamed(name));
  const scores = await decodeScores(await readBytes(scoreFile));
  const { ids } = await readTextIds([text], await open.tokenizer(), { maxTokens: Number(tokens), wantsDigest: false });
  const windows = tokenWindows(ids, { length: LENGTH });
  const against = await DenseReference.of(open.programs, open.store, windows);
  console.log(`${name} on ${windows.length} windows of ${LENGTH} tokens of ${text}`);
  console.log('| asked | shape | parameters | perplexity | KL from dense, nats a token | same most probable token |');
  console.log('|---|---|---|---|---|---|');
  for (const value of ratios.split(',').map(Number))
    for (const shape of SHAPES) {
      const plan = planFor(open, scores, { target: { kind: 'ratio', value }, roundTo: 4, shape });
      using pruned = open.pruned(plan.layers);
      const found = await evaluate(pruned, { windows, against });
      console.log(
        `| ${value * 100}% | ${shape} | ${plan.parametersAfter.toLocaleString('en-US')} | ${found.perplexity.toFixed(2)} ± ${found.standardError.toFixed(2)} | ${found.klDivergence?.toFixed(3)} ± ${found.klStandardError?.toFixed(3)} | ${(100 * (found.top1Agreement ?? 0)).toFixed(1)}% |`,
      );
    }
}
