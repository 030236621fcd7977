import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { randomLlama } from '../export/testing/random-llama.ts';
import { OpenModel } from '../library/open-model.ts';
import { type ScoreRun, score } from '../library/score.ts';
import { createNodeRuntime } from '../runtime/node.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { createWebRuntime } from '../runtime/web.ts';
import { decodeScores, encodeScores } from './files/score-file.ts';

const windows = Array.from({ length: 3 }, (_, window) =>
  Int32Array.from({ length: 12 }, (_, token) => (token * 7 + window * 13) % 48),
);
const calibration = { source: 'drawn', sha256: '0'.repeat(64), seed: 0 };

let runtime: Runtime;
let open: OpenModel;
beforeAll(async () => {
  runtime = await createNodeRuntime({ threads: 1 });
  open = new OpenModel(
    runtime,
    randomLlama({
      layers: 2,
      hiddenSize: 32,
      queryHeads: 4,
      keyValueHeads: 2,
      headDimension: 8,
      neurons: 40,
      vocabulary: 48,
      seed: 11,
    }),
  );
});
afterAll(() => {
  open.dispose();
  runtime.dispose();
});

/** A backend whose results are off by `error` from one operator graph on, or in those of its outputs that are `chosen`: what a wrong kernel of a driver looks like. */
async function faulty(label: string, error: number, chosen = (_name: string) => true): Promise<Runtime> {
  const other = await createNodeRuntime({ threads: 1 });
  const createSession = other.createSession.bind(other);
  other.createSession = async (model, options) => {
    const session = await createSession(model, options);
    if (options?.label?.split(' for ')[0] !== label) return session;
    const run = session.run.bind(session);
    session.run = async (feeds, runOptions) => {
      const outputs = await run(feeds, runOptions);
      for (const [name, tensor] of Object.entries(outputs))
        if (chosen(name))
          await other.write(
            tensor,
            ((await other.read(tensor)).data as Float32Array).map((value) => value * (1 + error)),
          );
      return outputs;
    };
    return session;
  };
  return other;
}

describe('a second backend', () => {
  it('that computes the same leaves no note, and is disposed', async () => {
    let other: Runtime | undefined;
    const run = await score(open, {
      windows,
      calibration,
      crossCheck: { start: async () => (other = await createWebRuntime({ backend: 'wasm' })) },
    });
    expect(run.notes).toEqual([]);
    expect(run.scores.engine.notes).toBeUndefined();
    expect(other?.statistics()).toMatchObject({ liveTensors: 0, liveSessions: 0 });
  });

  it.each(['block', 'score'])(
    'that differs by 5% in the program "%s" leaves a note, in the run and in the score file',
    async (label) => {
      const run = await score(open, { windows, calibration, crossCheck: { start: () => faulty(label, 0.05) } });
      expect(run.notes).toMatchObject([{ code: 'backends-differ', layer: 1, tolerance: 1e-2 }]);
      expect(differing(run)[0]?.difference).toBeGreaterThan(0.01);
      expect(run.notes[0]?.message).toMatch(/disagree on layer 1: .* Do not trust these scores/);
      const { engine } = await decodeScores(encodeScores(run.scores));
      expect(engine.notes).toEqual([run.notes[0]?.message]);
    },
  );

  it.each(['attention', 'mlp'])('is heard of when the scores of %s alone differ', async (module) => {
    const other = () => faulty('score', 0.05, (name) => name.includes(module));
    const run = await score(open, { windows, calibration, crossCheck: { start: other } });
    expect(differing(run).map(({ what }) => what)).toEqual([expect.stringContaining(` of ${module}, number `)]);
  });

  it('whose results are no numbers leaves a note, whatever else agrees', async () => {
    const other = () => faulty('score', Number.NaN, (name) => name.includes('mlp.down'));
    const { notes } = await score(open, { windows, calibration, crossCheck: { start: other } });
    expect(notes).toMatchObject([{ code: 'backends-differ', difference: Number.NaN }]);
  });

  it('may differ by rounding', async () => {
    expect(
      (await score(open, { windows, calibration, crossCheck: { start: () => faulty('score', 1e-4) } })).notes,
    ).toEqual([]);
  });
});

/** The notes of where backends differed. */
function differing({ notes }: ScoreRun) {
  return notes.flatMap((note) => (note.code === 'backends-differ' ? [note] : []));
}
