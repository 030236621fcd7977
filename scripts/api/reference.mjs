import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Declarations } from './declarations.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const CACHE = join(ROOT, 'node_modules/.cache');
const PAGE = join(ROOT, 'docs/reference.md');

const INTRODUCTION = `# Reference

Every name that \`espalier\` and \`espalier/web\` export, with its declaration; made from the doc comments by \`node scripts/api/reference.mjs\`, and a test holds it to them.
Programs are in [library.md](library.md).
`;

/** What stands in which section: by the folder of the source, in the order of the pipeline. @type {readonly (readonly [title: string, folders: readonly string[]])[]} */
const SECTIONS = [
  ['Verbs', ['library']],
  ['Plans and recipes', ['plan']],
  ['Scores', ['importance']],
  ['Recovery', ['recovery', 'surgery']],
  ['Export', ['export', 'decoder']],
  ['Evaluation', ['evaluate']],
  ['Generation', ['generate']],
  ['Models at rest', ['checkpoint', 'architecture']],
  ['Runtimes', ['runtime']],
  ['Progress and errors', ['.']],
];

/** The reference page, from declarations that lie in \`folder\`. @param {string} folder */
export function referencePage(folder) {
  const declarations = new Declarations();
  const inNode = declarations.exportsOf(join(folder, 'index.d.ts'));
  const inBrowsers = declarations.exportsOf(join(folder, 'web.d.ts'));
  const names = [...new Set([...inNode.keys(), ...inBrowsers.keys()])].sort((a, b) => a.localeCompare(b, 'en'));
  /** @type {Map<string, string[]>} */
  const sections = new Map(SECTIONS.map(([title]) => [title, []]));
  for (const name of names) {
    const [own, other] = [inNode.get(name), inBrowsers.get(name)];
    const [shown] = own ?? other ?? [];
    if (!shown) continue;
    const top = relative(folder, dirname(shown.path)).split(/[/\\]/)[0] || '.';
    const [title] = SECTIONS.find(([, folders]) => folders.includes(top)) ?? ['Verbs'];
    const isSame = own?.[0] === other?.[0];
    const parts = isSame
      ? [entry(own ?? [])]
      : [
          ...(own ? ['In Node:', '', entry(own)] : []),
          ...(own && other ? [''] : []),
          ...(other ? ['In browsers:', '', entry(other)] : []),
        ];
    sections.get(title)?.push(`### ${name}\n\n${parts.join('\n')}`);
  }
  return `${INTRODUCTION}${[...sections].map(([title, entries]) => `\n## ${title}\n\n${entries.join('\n\n')}\n`).join('')}`;
}

/** A declaration with what is said about it, overloads together. @param {readonly import('./declarations.mjs').Declaration[]} declared */
function entry(declared) {
  const [first] = declared;
  const text = prose(first?.doc ?? '');
  const code = declared.map(({ source, start, end }) =>
    source
      .slice(start, end)
      .replace(/^export (declare )?/, '')
      .replace(/^\s*(#private|private .*);\n/gm, '')
      .replaceAll('    ', '  '),
  );
  return `${text}${text === '' ? '' : '\n\n'}\`\`\`ts\n${code.join('\n')}\n\`\`\``;
}

/** The words of a doc comment. @param {string} comment */
function prose(comment) {
  return comment
    .replace(/^\/\*\*\s?|\s*\*\/$/g, '')
    .split('\n')
    .map((line) => line.replace(/^\s*\* ?/, '').trim())
    .join('\n')
    .trim();
}

/** Emits the declarations, and hands their folder to \`use\`. @template Result @param {(folder: string) => Result} use */
function withDeclarations(use) {
  mkdirSync(CACHE, { recursive: true });
  const folder = mkdtempSync(join(CACHE, 'api-'));
  try {
    const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
    const { status, stdout } = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.library.json', '--outDir', folder], {
      cwd: ROOT,
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(stdout);
    return use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(PAGE, withDeclarations(referencePage));
