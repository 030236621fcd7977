import { describe, expect, test } from 'vitest';
import { createTokenizer } from '../checkpoint/tokenizer/tokenizer.ts';
import { characterTokenizer } from '../cli/testing/tiny-model.ts';
import { EspalierError } from '../errors.ts';
import type { TrainingWindow } from '../recovery/training-windows.ts';
import { readTrainingData } from './training-data.ts';

const TEMPLATE =
  "{% for m in messages %}{{ m['role'] }}.{{ m['content'] }}\n{% endfor %}{% if add_generation_prompt %}assistant.{% endif %}";

const tokenizerWith = (chatTemplate: string | undefined) =>
  createTokenizer({
    name: 'characters',
    tokenizer: characterTokenizer(),
    tokenizerConfig: { eos_token: '</s>' },
    config: { vocab_size: 32 },
    generationConfig: {},
    ...(chatTemplate === undefined ? {} : { chatTemplate }),
  });
const tokenizer = tokenizerWith(TEMPLATE);

const file = (name: string, contents: string) => ({ name, bytes: new TextEncoder().encode(contents) });
const lines = (...records: readonly unknown[]) =>
  file('data.jsonl', records.map((record) => JSON.stringify(record)).join('\n'));
const read = (files: Parameters<typeof readTrainingData>[0], length = 400) =>
  readTrainingData(files, tokenizer, { length });

/** What is learnt, and what is only read, as text. */
function parts({ tokens, learn }: TrainingWindow | undefined = { tokens: [] }) {
  const ids = Array.from(tokens);
  const pick = (flag: number) => tokenizer.decode(ids.filter((_, place) => (learn?.[place] ?? 1) === flag));
  return { learnt: pick(1), context: pick(0) };
}

describe('training data', () => {
  test('texts of all files are packed into windows without overlap, joined by blank lines, a last partial one dropped', () => {
    const { windows, learnt, truncated } = read(
      [file('a.txt', 'the cat sat'), lines({ text: 'on a' }, { text: 'mat' })],
      6,
    );
    expect(windows.map((window) => parts(window).learnt)).toEqual(['the ca', 't sat\n', '\non a\n']);
    expect(learnt).toBe(3 * 5);
    expect(truncated).toBe(0);
    const drawn = readTrainingData([file('a.txt', 'abcdefghijklmnopqrstuvwxyz')], tokenizer, {
      length: 2,
      windows: 4,
      seed: 1,
    });
    expect(drawn.windows).toHaveLength(4);
  });

  test('of an instruction only the answer and its end are learnt', () => {
    const { windows, learnt } = read([
      lines(
        { instruction: 'add', input: 'two and two', output: 'four' },
        { instruction: 'hush', input: '', output: 'sh' },
      ),
    ]);
    const [first, second] = windows.map(parts);
    expect(first?.learnt).toBe('four</s>');
    expect(first?.context).toContain('nstruction');
    expect(first?.context).toContain('two and two');
    expect(second?.learnt).toBe('sh</s>');
    expect(second?.context).not.toContain('nput');
    expect(learnt).toBe(5 + 3);
  });

  test('of a chat only what the assistant says is learnt, in every turn, in the words of the template', () => {
    const turn = (role: string, content: string) => ({ role, content });
    const messages = [
      turn('system', 'be kind'),
      turn('user', 'hi'),
      turn('assistant', 'hello'),
      turn('user', 'bye'),
      turn('assistant', 'farewell'),
    ];
    const [window] = read([file('chats.json', JSON.stringify([{ messages }]))]).windows;
    expect(parts(window)).toEqual({
      learnt: 'hello\nfarewell\n',
      context: 'system.be kind\nuser.hi\nassistant.user.bye\nassistant.',
    });
  });

  test('answers are cut to the window, and left out where nothing of them is in it', () => {
    const long = { instruction: 'x', output: 'abcdefghij' };
    const prompt = Array.from(read([lines(long)]).windows[0]?.learn ?? []).indexOf(1);
    const cut = read([lines(long)], prompt + 4);
    expect(cut).toMatchObject({ truncated: 1, dropped: 0, learnt: 4 });
    expect(parts(cut.windows[0]).learnt).toBe('abcd');
    const mixed = read([lines(long), file('a.txt', 'the cat sat on the mat')], 8);
    expect(mixed).toMatchObject({ truncated: 1, dropped: 1 });
    expect(() => read([lines(long)], 8)).toThrow(/Every answer begins after the first 8 tokens.*longer windows/);
  });

  test.each([
    ['another kind of file', file('data.pdf', 'x'), /data\.pdf is not a kind of training file.*\.txt.*\.jsonl/],
    [
      'no JSON',
      file('data.jsonl', '{"text": "a"}\n{oops'),
      /data\.jsonl, line 2, is not valid JSON.*"text".*"messages"/,
    ],
    ['no object', lines(7), /line 1, is not an object/],
    [
      'unknown fields',
      lines({ prompt: 'a', completion: 'b' }),
      /line 1, has none of the fields.*"instruction".*It has prompt, completion/,
    ],
    ['a field of another type', lines({ text: 5 }), /line 1, has the "text" 5; it must be a string/],
    ['no output', lines({ text: 'a' }, { instruction: 'a' }), /line 2, has no "output"; it must be a string/],
    [
      'an empty output',
      lines({ instruction: 'a', output: ' ' }),
      /line 1, has an empty "output".*leave the record out/,
    ],
    ['no messages', lines({ messages: [] }), /line 1, has "messages" that are not a list/],
    [
      'an unknown role',
      lines({ messages: [{ role: 'robot', content: 'a' }] }),
      /line 1, message 1, has the "role" "robot"; it must be system, user, assistant/,
    ],
    ['a message without content', lines({ messages: [{ role: 'user' }] }), /message 1, has no "content"/],
    [
      'no answer',
      lines({ messages: [{ role: 'user', content: 'a' }] }),
      /line 1, has no message of the assistant.*leave the record out/,
    ],
    ['an array that is none', file('data.json', '{}'), /data\.json is not a JSON array of records.*\.jsonl/],
    ['nothing', file('data.txt', ' \n'), /There is no text in data\.txt/],
    ['no UTF-8', { name: 'data.txt', bytes: Uint8Array.of(0x61, 0xff, 0x62) }, /data\.txt is not UTF-8/],
  ])('refuses %s, naming file, place and remedy', (_, data, message) => {
    expect(() => read([data])).toThrow(message);
    expect(() => read([data])).toThrow(EspalierError);
  });

  test('refuses chats where the model has no template, or one that writes earlier turns anew', () => {
    const chat = lines({
      messages: ['user', 'assistant', 'user', 'assistant'].map((role) => ({ role, content: 'a' })),
    });
    expect(() => readTrainingData([chat], tokenizerWith(undefined), { length: 50 })).toThrow(
      /data\.jsonl has chat "messages".*no chat template.*"instruction"/,
    );
    const forgetful = tokenizerWith(
      "{{ messages[-1]['role'] }}.{{ messages[-1]['content'] }}{% if add_generation_prompt %}assistant.{% endif %}",
    );
    expect(() => readTrainingData([chat], forgetful, { length: 50 })).toThrow(
      /writes earlier messages anew.*one answer each/,
    );
  });
});
