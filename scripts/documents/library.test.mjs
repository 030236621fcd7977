import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startHub } from '../../src/checkpoint/testing/hub-server.ts';
import { writeTinyModel } from '../../src/cli/testing/tiny-model.ts';
import { exampleFolder, programsOf, runPrograms } from './programs.mjs';

/** What each program of docs/library.md prints; all but the model for conversations, which is small and random here, are what the document names. */
const PRINTS = [
  /^llama, \d+ parameters, \d+ attention groups in layer 0\n$/,
  /^loss \d\.\d{3} nats, \d+\.\d s\n$/,
  /^(\d+ heads, \d+ neurons(; )?){5,}\n$/,
  /^\d+ parameters, 0\.\d+ nats from the dense model\n$/,
  /^20 tokens:.{20,}\n?/s,
  /.\n$/s,
  /\n5 messages\n$/,
  /^\d+\.\d+ ± \d+\.\d+, KL 0\.\d+\n$/,
  /^100% of 2\n$/,
  /^held-out loss \d\.\d+ before, \d\.\d+ after\n$/,
  /\| saap \|.*\| magnitude-l2 \|/s,
  /^missing: .*org\/none/,
];

describe('docs/library.md', () => {
  const programs = programsOf('docs/library.md', ['js']);
  /** @type {Awaited<ReturnType<typeof exampleFolder>>} */
  let example;
  /** @type {Awaited<ReturnType<typeof runPrograms>>} */
  let run;
  beforeAll(async () => {
    example = await exampleFolder();
    const chat = await writeTinyModel(join(example.folder, 'chat'));
    const template = '{% for message in messages %}{{ message.content }}\n{% endfor %}';
    await writeFile(
      join(chat, 'tokenizer_config.json'),
      JSON.stringify({ unk_token: '<unk>', chat_template: template }),
    );
    const hub = await startHub('org/tiny', {});
    const here = programs.map((program) => ({
      ...program,
      text: program.text.replace("'HuggingFaceTB/SmolLM2-135M-Instruct'", JSON.stringify(chat)),
    }));
    run = await runPrograms(example.folder, here, { HF_ENDPOINT: hub.url });
    await hub.close();
  }, 240_000);
  afterAll(() => example.remove());

  test('has twelve programs, which run one after the other', () => {
    expect(programs).toHaveLength(PRINTS.length);
    expect(run.code, run.stderr).toBe(0);
    expect(run.printed).toHaveLength(PRINTS.length);
  });

  test.each(PRINTS.map((prints, index) => ({ heading: programs[index]?.heading, index, prints })))(
    '$heading',
    ({ index, prints }) => {
      expect(run.printed[index]).toMatch(prints);
    },
  );
});
