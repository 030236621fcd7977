import { readdirSync, readFileSync } from 'node:fs';
import { join, posix, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseSync } from 'rolldown/experimental';

/** Folders of src from the bottom up, in the order of the pipeline. A file imports from its own folder and from those before it. Files directly in src, except index.ts and web.ts, are below all. */
const ORDER = [
  'onnx',
  'operators',
  'passes',
  'runtime',
  'checkpoint',
  'architecture',
  'decoder',
  'generate',
  'evaluate',
  'importance',
  'plan',
  'surgery',
  'recovery',
  'export',
  'library',
  'index.ts',
  'web.ts',
  'worker',
  'studio',
  'cli',
];

/** Folders that must not know each other, although one stands before the other. */
const STRANGERS = [
  ['studio', 'cli'],
  ['runtime', 'checkpoint'],
];

/** What the command line and the page's engine reach by the verbs of the library only: of these folders they import types and nothing else. */
const SHELLS = ['cli', 'worker'];
const BEHIND_THE_VERBS = ['importance', 'plan', 'surgery', 'recovery', 'export', 'checkpoint'];

/** Reading JSON and hashing: helpers for files of any kind, which know nothing of checkpoints. */
const FILE_HELPERS = /^checkpoint\/files\/(json|sha256)\.ts$/;

/** Packages that only some files may import. */
const PACKAGE_RULES = [
  { what: 'React', matches: /^react(-dom)?(\/|$)/, allowed: /^studio\// },
  { what: 'ONNX Runtime', matches: /^onnxruntime-/, allowed: /^runtime\// },
  { what: 'onnxruntime-node', matches: /^onnxruntime-node/, allowed: /^runtime\/node\.ts$/ },
  { what: 'webgpu (Dawn)', matches: /^webgpu$/, allowed: /^runtime\/node-webgpu\.ts$/ },
  {
    what: 'an entry of onnxruntime-web other than /webgpu',
    matches: /^onnxruntime-web(?!\/webgpu$)/,
    allowed: /^runtime\/web-build\.ts$/,
  },
  {
    what: 'Node built-ins',
    matches: /^node:/,
    allowed:
      /^(cli\/|runtime\/node(-webgpu)?\.ts$|export\/(disk|writing)\.ts$|checkpoint\/(local|(files|store)\/(disk|disk-lock|package-root))\.ts$)/,
  },
];

/** Tests, and helpers in folders called testing, may import anything. */
const EXEMPT = /(\.test(-d)?\.tsx?$)|(^|\/)testing\//;

/**
 * Everything that `source` imports, statically, dynamically or as a type.
 * @param {string} path
 * @param {string} source
 */
export function importsOf(path, source) {
  return [...importsByUse(path, source).keys()];
}

/**
 * What `source` imports, and whether it imports more of it than types.
 * @param {string} path
 * @param {string} source
 * @returns {Map<string, boolean>}
 */
function importsByUse(path, source) {
  const { module, errors } = parseSync(path, source);
  const [error] = errors;
  if (error) throw new Error(`${path} does not parse: ${error.message}`);
  const found = new Map();
  /** @type {(specifier: string | undefined, isValue: boolean) => void} */
  const add = (specifier, isValue) => {
    if (specifier !== undefined) found.set(specifier, isValue || (found.get(specifier) ?? false));
  };
  for (const { moduleRequest, entries } of module.staticImports)
    add(moduleRequest.value, entries.length === 0 || entries.some(({ isType }) => !isType));
  for (const { entries } of module.staticExports)
    for (const { moduleRequest, isType } of entries) add(moduleRequest?.value, !isType);
  for (const { moduleRequest } of module.dynamicImports)
    add(source.slice(moduleRequest.start, moduleRequest.end).match(/^['"`](.*)['"`]$/)?.[1], true);
  return found;
}

/**
 * Sentences about imports that break a rule. `files` maps paths relative to src to their sources.
 * @param {readonly (readonly [path: string, source: string])[]} files
 */
export function brokenRules(files) {
  const problems = [];
  for (const [path, source] of files) {
    if (EXEMPT.test(path)) continue;
    for (const [specifier, isValue] of importsByUse(path, source)) {
      const problem = specifier.startsWith('.')
        ? judgeFile(path, posix.join(posix.dirname(path), specifier), isValue)
        : judgePackage(path, specifier);
      if (problem) problems.push(`src/${path} imports ${specifier}: ${problem}`);
    }
  }
  return [...problems, ...circles(files)];
}

/**
 * @param {string} from
 * @param {string} to
 * @param {boolean} isValue
 */
function judgeFile(from, to, isValue) {
  const target = to.replace(/\?.*$/, '');
  if (EXEMPT.test(target)) return 'only tests may import test helpers.';
  const own = unitOf(from);
  const other = unitOf(target);
  if (own === other) return undefined;
  const ownLevel = levelOf(own);
  const otherLevel = levelOf(other);
  if (ownLevel === undefined) return `${own} has no place; add it to ORDER in scripts/import-rules.mjs.`;
  if (otherLevel === undefined) return `${other} has no place; add it to ORDER in scripts/import-rules.mjs.`;
  if (STRANGERS.some((pair) => pair.includes(own) && pair.includes(other)))
    return `${own} and ${other} must not know each other.`;
  if (isValue && SHELLS.includes(own) && BEHIND_THE_VERBS.includes(other) && !FILE_HELPERS.test(target))
    return `${own} calls the verbs of library; of ${other} it may import types.`;
  if (otherLevel > ownLevel) return `${own} is below ${other}, and imports point downward.`;
  return undefined;
}

/**
 * Sentences about circles of imports between the files, those of types included: one for each circle, by its files in the order in which they import each other.
 * @param {readonly (readonly [path: string, source: string])[]} files
 */
function circles(files) {
  const imports = new Map(
    files
      .filter(([path]) => !EXEMPT.test(path))
      .map(([path, source]) => [
        path,
        importsOf(path, source)
          .filter((specifier) => specifier.startsWith('.'))
          .map((specifier) => posix.join(posix.dirname(path), specifier.replace(/\?.*$/, ''))),
      ]),
  );
  /** @type {string[]} */
  const problems = [];
  const done = new Set();
  /**
   * @param {string} path
   * @param {string[]} trail
   */
  const visit = (path, trail) => {
    const start = trail.indexOf(path);
    if (start >= 0)
      problems.push(`src/${path} imports itself by way of ${[...trail.slice(start + 1), path].join(', ')}.`);
    if (start >= 0 || done.has(path)) return;
    for (const target of imports.get(path) ?? []) visit(target, [...trail, path]);
    done.add(path);
  };
  for (const path of imports.keys()) visit(path, []);
  return problems;
}

/**
 * @param {string} from
 * @param {string} specifier
 */
function judgePackage(from, specifier) {
  const rule = PACKAGE_RULES.find(({ matches, allowed }) => matches.test(specifier) && !allowed.test(from));
  return rule && `${rule.what} may not be imported there.`;
}

/**
 * The folder of src that a file belongs to, or its own name.
 * @param {string} path
 */
function unitOf(path) {
  return path.replace(/\/.*$/, '');
}

/** @param {string} unit */
function levelOf(unit) {
  const level = ORDER.indexOf(unit);
  if (level >= 0) return level;
  return unit.endsWith('.ts') ? -1 : undefined;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const root = fileURLToPath(new URL('../src', import.meta.url));
  const files = readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => /** @type {const} */ ([relative(root, path).replaceAll('\\', '/'), readFileSync(path, 'utf8')]));
  const problems = brokenRules(files);
  for (const problem of problems) console.error(problem);
  console.log(`${files.length} files checked, ${problems.length} broken import rules`);
  process.exitCode = problems.length > 0 ? 1 : 0;
}
