import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { COMMON, type KeyRule, type KeyRules, ROPE_KEY_RULES } from './architecture/config-keys.ts';
import { KEY_RULES } from './architecture/family-keys.ts';

const root = join(import.meta.dirname, '..');

/** Rows of docs/compatibility.md: what is said of an input, and the test that holds it. */
const rows = readFileSync(join(root, 'docs/compatibility.md'), 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('| ') && !line.startsWith('| input |'))
  .map((line) => line.slice(2, -2).split(' | '));

test('every row has an input, a result, a version and a test', () => {
  expect(rows.length).toBeGreaterThan(40);
  for (const row of rows) expect(row, row.join(' | ')).toHaveLength(4);
  for (const [, , since] of rows) expect(since).toMatch(/^\d+\.\d+$/);
});

test.each(rows.map(([input = '', , , held = '']) => [input, held]))('%s is held by a test', (_, held) => {
  const [, file = '', words = ''] = /^`([^`]+)` ?(.*)$/.exec(held) ?? [];
  expect(existsSync(join(root, file)), file).toBe(true);
  // A name may go on in code, as a template does.
  expect(readFileSync(join(root, file), 'utf8').replace(/\\'/g, "'")).toContain(words);
});

const keysWith = (rules: KeyRules, wanted: (rule: KeyRule) => boolean) =>
  Object.keys(rules)
    .filter((key) => wanted(rules[key] as KeyRule))
    .sort();
const list = (keys: readonly string[]) => keys.map((key) => `\`${key}\``).join(', ');

function section(title: string, rules: KeyRules, unknown: readonly string[] = []): string {
  const refusals = keysWith(rules, (rule) => typeof rule === 'object').map((key) => {
    const { assumed, because } = rules[key] as Extract<KeyRule, object>;
    const values =
      assumed.length === 0 ? 'absent' : assumed.map((value) => `\`${JSON.stringify(value)}\``).join(' or ');
    return `| \`${key}\` | ${values} | ${because} |`;
  });
  const read = keysWith(rules, (rule) => rule === 'honoured');
  const harmless = keysWith(rules, (rule) => rule === 'harmless');
  const parts = [
    read.length > 0 ? `Read: ${list(read)}.` : '',
    harmless.length > 0 ? `Change nothing: ${list(harmless)}.` : '',
    unknown.length > 0 ? `Not known here: ${list([...unknown].sort())}.` : '',
    refusals.length > 0 ? `| refused | unless | because |\n|---|---|---|\n${refusals.join('\n')}` : '',
  ].filter((part) => part !== '');
  return `## ${title}\n\n${parts.length > 0 ? parts.join('\n\n') : 'As in every architecture.'}\n`;
}

/** What a family does otherwise than all. */
function differences(rules: KeyRules): readonly [KeyRules, readonly string[]] {
  const own = Object.entries(rules).filter(([key, rule]) => JSON.stringify(COMMON[key]) !== JSON.stringify(rule));
  return [Object.fromEntries(own), Object.keys(COMMON).filter((key) => !Object.hasOwn(rules, key))];
}

test('docs/config-keys.md says what is done with every key', async () => {
  const sections = [
    section('In every architecture', COMMON),
    ...Object.entries(KEY_RULES).map(([architecture, rules]) => section(architecture, ...differences(rules))),
  ];
  const whole = `# Keys of config.json

What each architecture (\`model_type\`) does with each key that is known; what all do comes first, then each one's own. \`src/architecture/config-keys.ts\` and
\`family-keys.ts\` are the tables, and a test writes this file from them
(\`npx vitest run -u src/compatibility.test.ts\`). A key that is absent or null is never refused. A key that is not listed is refused where its name says that it
changes what is computed, and has no effect otherwise.

${sections.join('\n')}
${section('In `rope_scaling` and `rope_parameters`', ROPE_KEY_RULES)}`;
  await expect(whole).toMatchFileSnapshot(join(root, 'docs/config-keys.md'));
});
