import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { resultOf, runInside } from './testing/run.ts';
import { tinyText, writeTinyModel } from './testing/tiny-model.ts';

/** Ctrl-C at any moment of any command: it ends with 130 and leaves what was there before, or it had ended already and its result is whole. */
let folder: string;
let before: string[];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'espalier-moments-'));
  await writeTinyModel(join(folder, 'tiny'));
  await writeFile(join(folder, 'text.txt'), tinyText(4_000));
  const item = { query: 'a b', choices: ['c', 'd'], gold: 0 };
  await writeFile(join(folder, 'task.jsonl'), `${JSON.stringify(item)}\n`.repeat(24));
  const scoring = filled(`score @tiny ${CALIBRATION} --output`);
  await resultOf([...scoring, join(folder, 'scores.safetensors')]);
  for (const part of ['0', '1']) await resultOf([...scoring, join(folder, `part-${part}`), '--shard', `${part}/2`]);
  await resultOf([...filled(`prune @tiny --ratio 0.3 ${CALIBRATION} --output`), join(folder, 'pruned')]);
  before = await tree();
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const CALIBRATION = '--calibration @text.txt --windows 6 --length 16 --threads 1';

/** Every command that works, and what it may keep of unfinished work to go on from. (The studio serves until it is interrupted: commands.test.ts.) */
const COMMANDS: readonly { readonly line: string; readonly keeps?: readonly string[] }[] = [
  { line: 'inspect @tiny' },
  { line: `score @tiny ${CALIBRATION} --output @out`, keeps: ['out.partial'] },
  { line: `score @tiny ${CALIBRATION} --shard 0/2 --output @out` },
  { line: 'merge-scores @part-0 @part-1 --output @out' },
  { line: 'plan @scores.safetensors --ratio 0.3 --output @out' },
  { line: `prune @tiny ${CALIBRATION} --ratio 0.3 --compensate bias --dtype q4 --output @out` },
  {
    line: `recover @tiny ${CALIBRATION} --ratio 0.3 --data @text.txt --window 16 --steps 3 --output @out`,
    keeps: ['out.partial'],
  },
  { line: 'evaluate @tiny --text @text.txt --window 16 --threads 1' },
  { line: 'evaluate @tiny --tasks @task.jsonl --threads 1 --output @out.json', keeps: ['out.json'] },
  { line: 'evaluate @pruned --text @text.txt --window 16 --threads 1' },
  { line: 'sample @tiny --windows 3 --length 16 --threads 1 --output @out' },
  { line: 'generate @tiny --prompt a --max-new-tokens 60 --threads 1' },
  { line: 'generate @pruned --prompt a --max-new-tokens 60 --threads 1' },
  {
    line: `compare @tiny --methods saap,random --ratios 0.3 --text @text.txt --window 16 ${CALIBRATION} --output @out.json`,
    keeps: ['out.json'],
  },
];

/** Turns of the event loop after which nobody waits for a command any more. */
const LATEST = 1 << 20;

const tree = async () => (await readdir(folder, { recursive: true })).sort();
const filled = (line: string) => line.split(' ').map((word) => word.replace(/^@/, `${folder}/`));

/** Runs a command and presses Ctrl-C after so many turns of the event loop; a turn is a moment in which a person could. */
async function interruptedAfter(turns: number, line: string) {
  let ended = false;
  const running = runInside(filled(line)).finally(() => {
    ended = true;
  });
  for (let turn = 0; turn < turns && !ended; turn++) await new Promise((resolve) => setImmediate(resolve));
  const pressed = !ended;
  if (pressed) process.emit('SIGINT');
  return { pressed, ...(await running) };
}

describe('Ctrl-C', () => {
  it.each(COMMANDS)('at any moment of $line', async ({ line, keeps = [] }) => {
    let interrupted = 0;
    let ended = false;
    for (let turns = 0; !ended && turns < LATEST; turns = 3 * turns + 1) {
      const { pressed, code, stdout, stderr } = await interruptedAfter(turns, line);
      ended = !pressed;
      expect([0, 130], stderr).toContain(code);
      expect(stderr).not.toContain('unexpected');
      const left = (await tree()).filter((name) => !before.includes(name));
      if (code === 130) {
        interrupted++;
        expect(pressed).toBe(true);
        expect(stderr).toMatch(/Interrupted/);
        expect(left.filter((name) => !keeps.includes(name))).toEqual([]);
      } else {
        expect(stdout).not.toBe('');
        if (line.includes('@out')) expect(left).not.toEqual([]);
      }
      expect(left.filter((name) => /lock$/.test(name))).toEqual([]);
      for (const name of left) await rm(join(folder, name), { recursive: true, force: true });
    }
    expect(interrupted).toBeGreaterThan(0);
  });
});
