import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** Texts of packages that come without one, named after them. */
const TEXTS = join(ROOT, 'scripts/licences');

/**
 * What is in the package beside what bundlers tell: files that are copied, and the helpers that they add.
 * @type {readonly { name: string, text: string }[]}
 */
const ALWAYS = [
  { name: 'onnxruntime-web 1.30.0 (MIT)', text: join(TEXTS, 'onnxruntime.txt') },
  {
    name: 'Atkinson Hyperlegible Next, the typeface (SIL Open Font License 1.1)',
    text: join(ROOT, 'src/studio/fonts/OFL.txt'),
  },
  { name: 'The helpers that rolldown adds, of Oxc (MIT)', text: join(TEXTS, 'oxc.txt') },
];

/** What stands in place of a text that is missing: no release may have it. */
export const NO_TEXT = 'The package has no licence text; put one into scripts/licences/.';

/** Packages that are told of above. */
const TOLD = /^(onnxruntime-(web|common)|vite|rolldown|@oxc-project\/runtime)$/;

/**
 * The licences of everything of others that is shipped: of the packages that the modules are from, and of what is always there; `NO_TEXT` where there is none.
 * @param {Iterable<string>} modules paths of bundled modules
 */
export function licenceText(modules) {
  const packages = [...new Set([...modules].flatMap(packageFolder))].map(described).filter(({ told }) => !told);
  const entries = [...ALWAYS.map(({ name, text }) => ({ name, text: readFileSync(text, 'utf8') })), ...packages];
  return `Espalier contains work of others, under these licences.\n\n${entries
    .sort((a, b) => a.name.localeCompare(b.name, 'en'))
    .map(({ name, text }) => `${'='.repeat(80)}\n${name}\n${'='.repeat(80)}\n\n${text.trim()}\n`)
    .join('\n')}`;
}

/**
 * The folder of the package that a module is in; none for modules of our own and of the bundler.
 * @param {string} path
 * @returns {string[]}
 */
function packageFolder(path) {
  const [file = ''] = path.split('?');
  const at = file.lastIndexOf(`node_modules${sep}`);
  if (at < 0 || file.startsWith('\0')) return [];
  const [scope = '', name = ''] = file.slice(at + 'node_modules/'.length).split(sep);
  return [join(file.slice(0, at), 'node_modules', scope.startsWith('@') ? `${scope}/${name}` : scope)];
}

/** @param {string} folder */
function described(folder) {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  if (TOLD.test(name)) return { name: '', text: '', told: true };
  const own = readdirSync(folder).filter((file) => /^(licen[cs]e|notice|copying)/i.test(file));
  const given = join(TEXTS, `${name.replace('/', '+')}.txt`);
  const paths = own.length > 0 ? own.map((file) => join(folder, file)) : existsSync(given) ? [given] : [];
  const text = paths.map((path) => readFileSync(path, 'utf8').trim()).join('\n\n') || NO_TEXT;
  return { name: `${name} ${version} (${license})`, text, told: false };
}
