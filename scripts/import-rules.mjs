import { readdirSync, readFileSync } from 'node:fs';
import { join, posix, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseSync } from 'rolldown/experimental';

/** Folders of src from the bottom up. A file may import from its own level and below. Files directly in src, except index.ts, are below all. */
const LEVELS = [
  ['onnx'],
  ['operators'],
  ['passes'],
  ['architecture', 'checkpoint', 'runtime'],
  ['evaluate', 'generate', 'export', 'saap', 'baselines', 'surgery'],
  ['library'],
  ['worker', 'index.ts'],
  ['studio', 'cli'],
];

/** Pairs on one level that must not meet. */
const STRANGERS = [
  ['studio', 'cli'],
  ['runtime', 'checkpoint'],
];

/** Packages that only some files may import. */
const PACKAGE_RULES = [
  { what: 'React', matches: /^react(-dom)?(\/|$)/, allowed: /^studio\// },
  { what: 'ONNX Runtime', matches: /^onnxruntime-/, allowed: /^runtime\// },
  { what: 'onnxruntime-node', matches: /^onnxruntime-node/, allowed: /^runtime\/node\.ts$/ },
  { what: 'an entry of onnxruntime-web other than /webgpu', matches: /^onnxruntime-web(?!\/webgpu$)/, allowed: /^runtime\/web-build\.ts$/ },
  { what: 'Node built-ins', matches: /^node:/, allowed: /^(cli\/|runtime\/node\.ts$|export\/disk\.ts$|checkpoint\/(disk|disk-lock|local|package-root)\.ts$)/ },
];

/** Tests, and helpers in folders called testing, may import anything. */
const EXEMPT = /(\.test\.tsx?$)|(^|\/)testing\//;

/** Everything that `source` imports, statically, dynamically or as a type. */
export function importsOf(path, source) {
  const { module, errors } = parseSync(path, source);
  if (errors.length > 0) throw new Error(`${path} does not parse: ${errors[0].message}`);
  const specifiers = [
    ...module.staticImports.map(({ moduleRequest }) => moduleRequest.value),
    ...module.staticExports.flatMap(({ entries }) => entries.map(({ moduleRequest }) => moduleRequest?.value)),
    ...module.dynamicImports.map(({ moduleRequest }) => source.slice(moduleRequest.start, moduleRequest.end).match(/^['"`](.*)['"`]$/)?.[1]),
  ];
  return [...new Set(specifiers.filter((specifier) => specifier !== undefined))];
}

/** Sentences about imports that break a rule. `files` maps paths relative to src to their sources. */
export function brokenRules(files) {
  const problems = [];
  for (const [path, source] of files) {
    if (EXEMPT.test(path)) continue;
    for (const specifier of importsOf(path, source)) {
      const problem = specifier.startsWith('.') ? judgeFile(path, posix.join(posix.dirname(path), specifier)) : judgePackage(path, specifier);
      if (problem) problems.push(`src/${path} imports ${specifier}: ${problem}`);
    }
  }
  return problems;
}

function judgeFile(from, to) {
  const target = to.replace(/\?.*$/, '');
  if (EXEMPT.test(target)) return 'only tests may import test helpers.';
  const [own, other] = [unitOf(from), unitOf(target)];
  if (own === other) return undefined;
  const [ownLevel, otherLevel] = [levelOf(own), levelOf(other)];
  if (ownLevel === undefined) return `${own} has no level; add it to LEVELS in scripts/import-rules.mjs.`;
  if (otherLevel === undefined) return `${other} has no level; add it to LEVELS in scripts/import-rules.mjs.`;
  if (otherLevel > ownLevel) return `${own} is below ${other}, and imports point downward.`;
  if (STRANGERS.some((pair) => pair.includes(own) && pair.includes(other))) return `${own} and ${other} must not know each other.`;
  return undefined;
}

function judgePackage(from, specifier) {
  const rule = PACKAGE_RULES.find(({ matches, allowed }) => matches.test(specifier) && !allowed.test(from));
  return rule && `${rule.what} may not be imported there.`;
}

/** The folder of src that a file belongs to, or its own name. */
function unitOf(path) {
  return path.split('/')[0];
}

function levelOf(unit) {
  const level = LEVELS.findIndex((units) => units.includes(unit));
  if (level >= 0) return level;
  return unit.endsWith('.ts') ? -1 : undefined;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const root = fileURLToPath(new URL('../src', import.meta.url));
  const files = readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => [relative(root, path).replaceAll('\\', '/'), readFileSync(path, 'utf8')]);
  const problems = brokenRules(files);
  for (const problem of problems) console.error(problem);
  console.log(`${files.length} files checked, ${problems.length} broken import rules`);
  process.exitCode = problems.length > 0 ? 1 : 0;
}
