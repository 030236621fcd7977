import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { NO_TEXT } from './licences.mjs';

/** What the package may take on a disk, in bytes: a little more than it does. */
const LARGEST_PACKAGE = 80_000_000;

/**
 * What is wrong with a package as it was packed, in sentences; none when it may be released. `folder` holds what a tarball gave.
 * @param {string} folder
 * @returns {string[]}
 */
export function packageFaults(folder) {
  const files = filesUnder(folder);
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const bytes = files.reduce((sum, file) => sum + statSync(join(folder, file)).size, 0);
  const licences = join(folder, 'dist/studio/licences.txt');
  return [
    ...targetsOf([manifest.exports, manifest.bin])
      .filter((target) => !existsSync(join(folder, target)))
      .map((target) => `package.json names ${target}, which is not there.`),
    ...deadLinks(folder, files),
    ...brokenImports(folder, files),
    ...undeclared(folder, files, manifest),
    ...unreachable(folder, files, targetsOf([manifest.exports, manifest.bin])),
    ...files
      .filter((file) => /\.(map|test\.\w+|ts)$|\.built-from$/.test(file.replace(/\.d\.ts$/, '')))
      .map((file) => `${file} has no use in a package.`),
    ...(existsSync(licences) ? [] : ['There are no licences of what is bundled.']),
    ...(existsSync(licences) && readFileSync(licences, 'utf8').includes(NO_TEXT) ? [`${licences}: ${NO_TEXT}`] : []),
    ...(bytes > LARGEST_PACKAGE
      ? [`It takes ${bytes} bytes; at most ${LARGEST_PACKAGE} are allowed (scripts/package-check.mjs).`]
      : []),
  ];
}

/**
 * All paths in a value of package.json.
 * @param {unknown} value
 * @returns {string[]}
 */
function targetsOf(value) {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(targetsOf) : [];
}

/**
 * Links of documents to files that are not in the package.
 * @param {string} folder
 * @param {readonly string[]} files
 */
function deadLinks(folder, files) {
  return files
    .filter((file) => file.endsWith('.md') && !file.startsWith('dist/'))
    .flatMap((file) =>
      [...readFileSync(join(folder, file), 'utf8').matchAll(/\]\(([^)#\s]+)[^)]*\)/g)]
        .map(([, link = '']) => link)
        .filter((link) => !/^[a-z]+:/.test(link) && !existsSync(join(folder, dirname(file), link)))
        .map((link) => `${file} links to ${link}, which is not in the package.`),
    );
}

/**
 * Paths that a built module imports, from the package's folder.
 * @param {string} folder
 * @param {string} file
 */
function importsOf(folder, file) {
  return [
    ...readFileSync(join(folder, file), 'utf8').matchAll(
      /(?:^import |^export .*|\bimport\(|\bfrom )["'](\.[^"']+)["']/gm,
    ),
  ].map(([, specifier = '']) => join(dirname(file), specifier));
}

/**
 * @param {string} folder
 * @param {readonly string[]} files
 */
function brokenImports(folder, files) {
  return modules(files).flatMap((file) =>
    importsOf(folder, file)
      .filter((target) => !existsSync(join(folder, target)))
      .map((target) => `${file} imports ${target}, which is not in the package.`),
  );
}

/**
 * Packages that modules import and package.json does not name; in pages, modules of Node too.
 * @param {string} folder
 * @param {readonly string[]} files
 * @param {{ dependencies?: Record<string, string>, peerDependencies?: Record<string, string> }} manifest
 */
function undeclared(folder, files, { dependencies = {}, peerDependencies = {} }) {
  return modules(files).flatMap((file) => {
    const isWeb = file.startsWith('dist/web/');
    const allowed = Object.keys(isWeb ? dependencies : { ...dependencies, ...peerDependencies });
    const text = readFileSync(join(folder, file), 'utf8');
    // What is built has double quotes; texts in it that look like programs have others.
    const named = [...text.matchAll(/^(?:import|export)\b[^'"\n]*"([^."][^"]*)"|\bimport\("([^."][^"]*)"\)/gm)].map(
      ([, first, second]) => first ?? second ?? '',
    );
    return [...new Set(named)]
      .filter((name) => isWeb || !name.startsWith('node:'))
      .filter((name) => !allowed.some((known) => name === known || name.startsWith(`${known}/`)))
      .map((name) => `${file} imports ${name}, which ${isWeb ? 'pages do not have' : 'package.json does not name'}.`);
  });
}

/**
 * Modules that nothing leads to: remains of an earlier build.
 * @param {string} folder
 * @param {readonly string[]} files
 * @param {readonly string[]} targets
 */
function unreachable(folder, files, targets) {
  // The command imports the library by a condition; what is under it is an entry too.
  const waiting = [
    ...targets.filter((target) => target.endsWith('.js')).map((target) => join(target)),
    'dist/library/cli/main.js',
  ];
  const reached = new Set();
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (reached.has(file) || !existsSync(join(folder, file))) continue;
    reached.add(file);
    waiting.push(...importsOf(folder, file));
  }
  return modules(files)
    .filter((file) => !reached.has(file))
    .map((file) => `${file} is imported by nothing: a remainder of an earlier build.`);
}

/**
 * The library's own modules.
 * @param {readonly string[]} files
 */
const modules = (files) => files.filter((file) => /^dist\/(library|web)\/.*\.js$/.test(file));

/**
 * @param {string} folder
 * @returns {string[]}
 */
function filesUnder(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'));
}
