import { openNamed } from '../src/checkpoint/local.ts';
import { EXPORT_FORMATS, type ExportDataType } from '../src/decoder/dtypes.ts';
import { memoryFolder } from '../src/export/memory-folder.ts';
import { exportPruned } from '../src/library/export.ts';
import { OpenModel } from '../src/library/open-model.ts';
import { createNodeRuntime } from '../src/runtime/node.ts';

const SECOND = 1e6;

/**
 * What the stages of an export cost in seconds of processor time, and the share of verification in all of it. Options: a model (default stories), number formats separated by commas (default all),
 * how q4 rounds.
 */
export async function run([name = 'stories', formats, rounding]: readonly string[]): Promise<void> {
  const wanted = (formats?.split(',') ?? Object.keys(EXPORT_FORMATS)) as ExportDataType[];
  for (const dtype of wanted) {
    using runtime = await createNodeRuntime();
    using open = new OpenModel(runtime, await openNamed(name));
    const seconds = new Map<string, number>();
    let [stage, since] = ['opening', process.cpuUsage()];
    const enter = (next: string) => {
      const { user, system } = process.cpuUsage(since);
      seconds.set(stage, (seconds.get(stage) ?? 0) + (user + system) / SECOND);
      [stage, since] = [next, process.cpuUsage()];
    };
    let outcome = 'verified';
    await exportPruned(open, {
      output: memoryFolder(),
      dtype,
      ...(rounding === 'nearest' || rounding === 'weighted' ? { rounding } : {}),
      onProgress: (progress) => progress.stage !== stage && enter(progress.stage),
    }).catch((error: Error) => {
      outcome = error.message;
    });
    enter('');
    const all = [...seconds.values()].reduce((sum, value) => sum + value, 0);
    const verifying = (seconds.get('writing text to verify on') ?? 0) + (seconds.get('verifying') ?? 0);
    const told = [...seconds].map(([of, value]) => `${of} ${value.toFixed(2)} s`);
    console.log(
      `${name} in ${dtype}: ${told.join(', ')}; verification ${((100 * verifying) / all).toFixed(0)}%. ${outcome}`,
    );
  }
}
