import { existsSync } from 'node:fs';
import { openNamed } from '../src/checkpoint/local.ts';
import { readText } from '../src/cli/calibration.ts';
import { perplexity } from '../src/evaluate/perplexity.ts';
import { tokenWindows } from '../src/evaluate/windows.ts';
import { OpenModel } from '../src/library/open-model.ts';
import { createNodeRuntime } from '../src/runtime/node.ts';
import { importance } from '../src/saap/importance.ts';
import { interleave, ratio, spread } from './measure.ts';

/**
 * Scoring of all gradient metrics against one forward pass with losses over the same windows, on the CPU backend, interleaved.
 * Options: a model (default stories), and a text file (default the model's calibration text), number of windows.
 */
export async function run([name = 'stories', text = 'public/models/stories/calibration.txt', count = '16']: readonly string[]): Promise<void> {
  if (!existsSync(text)) throw new Error(`there is no text ${text}`);
  using runtime = await createNodeRuntime();
  using open = new OpenModel(runtime, await openNamed(name), { residentBytes: 2 ** 30 });
  const ids = (await open.tokenizer()).encode((await readText([text])).text, { addSpecialTokens: false });
  const windows = tokenWindows(ids, { length: 128, count: Number(count), seed: 0 });
  const options = { structuresOf: open.structuresOf };
  const times = await interleave(
    {
      forward: () => perplexity(open.programs, open.store, windows),
      scoring: () => importance(open.programs, open.store, windows, options),
      'scoring without elements': () => importance(open.programs, open.store, windows, { ...options, elements: false }),
    },
    3,
  );
  console.log(`${name}, ${windows.length} windows of 128 tokens, ${runtime.description}`);
  for (const [label, values] of Object.entries(times)) console.log(`${label}: ${spread(values)}`);
  console.log(`scoring / forward: ${ratio(times.scoring, times.forward)} (target at most 4.2)`);
  console.log(`scoring without elements / forward: ${ratio(times['scoring without elements'], times.forward)}`);
  console.log(`peak of tensors: ${(runtime.statistics().peakBytes / 2 ** 20).toFixed(0)} MiB`);
}
