import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findBrowser } from './browser.mjs';

/**
 * Vulkan in software for tests of WebGPU in Node, the same on every machine: Mesa's lavapipe, which computes in half precision, or else SwiftShader, which lies beside Chromium and does not.
 * Dawn needs Mesa 24 or later; where the system's is older or missing, `ensureVulkan` unpacks Debian's package into a folder of the user's cache and leaves the system's as it is.
 */
const CACHE = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'espalier', 'lavapipe');
const DRIVER = 'libvulkan_lvp.so';
const LOADER = 'libvulkan.so.1';
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

/**
 * Debian releases, and where each has a Mesa that Dawn takes.
 * @type {Record<string, string>}
 */
const SUITES = { bookworm: 'bookworm-backports', trixie: 'trixie' };

/**
 * Variables for processes that test WebGPU: empty where the user chose a driver (VK_DRIVER_FILES) or Vulkan is not what the system has; undefined where there is no driver.
 * They must be set before a process starts: its libraries are found by them.
 * @returns {Record<string, string> | undefined}
 */
export function vulkanEnvironment() {
  if (process.env.VK_DRIVER_FILES || process.platform !== 'linux') return {};
  const unpacked = join(CACHE, 'icd.json');
  if (existsSync(unpacked)) return environment(unpacked, readFileSync(join(CACHE, 'libraries'), 'utf8'));
  const browser = findBrowser();
  const folders = [browser && dirname(browser), '/usr/lib/chromium', '/usr/lib/chromium-browser'];
  const folder = folders.find((path) => path && existsSync(join(path, 'vk_swiftshader_icd.json')));
  return folder ? environment(join(folder, 'vk_swiftshader_icd.json'), folder) : undefined;
}

/**
 * @param {string} driver
 * @param {string} libraries
 */
function environment(driver, libraries) {
  const path = [libraries, process.env.LD_LIBRARY_PATH].filter(Boolean).join(':');
  return { VK_DRIVER_FILES: driver, LD_LIBRARY_PATH: path, XDG_RUNTIME_DIR: process.env.XDG_RUNTIME_DIR || CACHE };
}

/** The same, after lavapipe was unpacked where it can be had. Says on standard error why not, where it cannot. */
export function ensureVulkan() {
  if (!process.env.VK_DRIVER_FILES && process.platform === 'linux' && !existsSync(join(CACHE, 'icd.json'))) {
    try {
      unpackLavapipe();
    } catch (error) {
      process.stderr.write(`lavapipe was not unpacked: ${error instanceof Error ? error.message : error}\n`);
    }
  }
  return vulkanEnvironment();
}

/** @typedef {{ name: string, halfPrecision: boolean }} TestAdapter */

/**
 * The adapter that WebGPU in Node opens under these variables.
 * @param {Record<string, string>} variables
 * @returns {TestAdapter | undefined}
 */
export function testAdapter(variables) {
  const source = `
    import { create } from 'webgpu';
    const adapter = await create([]).requestAdapter({ powerPreference: 'high-performance' });
    if (adapter) console.log(JSON.stringify({ name: adapter.info.description || adapter.info.device, halfPrecision: adapter.features.has('shader-f16') }));`;
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '--eval', source], {
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    env: { ...process.env, ...variables },
    encoding: 'utf8',
  });
  const line = stdout.split('\n').find((text) => text.startsWith('{'));
  return line === undefined ? undefined : JSON.parse(line);
}

function unpackLavapipe() {
  const codename = release();
  const suite = SUITES[codename];
  const mirror = suite && mirrorOf(codename);
  if (!suite || !mirror || !existsSync('/usr/bin/apt-get') || !existsSync(KEYRING))
    throw new Error(`only Debian ${Object.keys(SUITES).join(' and ')} are known to have it.`);
  const work = `${CACHE}.${process.pid}`;
  const root = join(work, 'root');
  try {
    for (const folder of ['lists/partial', 'archives/partial', 'root'])
      mkdirSync(join(work, folder), { recursive: true });
    writeFileSync(
      join(work, 'sources.list'),
      [...new Set([suite, codename])].map((name) => `deb [signed-by=${KEYRING}] ${mirror} ${name} main\n`).join(''),
    );
    const options = [
      `Dir::State::Lists=${join(work, 'lists')}`,
      `Dir::Cache=${work}`,
      `Dir::Cache::archives=${join(work, 'archives')}`,
      `Dir::Etc::SourceList=${join(work, 'sources.list')}`,
      'Dir::Etc::SourceParts=/dev/null',
      'Debug::NoLocking=1',
      'APT::Sandbox::User=',
      'APT::Update::Post-Invoke=',
      'DPkg::Post-Invoke=',
      'Acquire::Languages=none',
    ].flatMap((option) => ['-o', option]);
    run('apt-get', [...options, 'update', '-qq']);
    // Downloads the two and those of their dependencies that the system has not got.
    run('apt-get', [
      ...[...options, 'install', '-qq', '-y', '--download-only', '--no-install-recommends'],
      ...['-t', suite, 'mesa-vulkan-drivers', 'libvulkan1'],
    ]);
    for (const name of readdirSync(join(work, 'archives')).filter((file) => file.endsWith('.deb')))
      run('dpkg-deb', ['--extract', join(work, 'archives', name), root]);
    const driver = find(root, DRIVER);
    if (!driver) throw new Error(`the package has no ${DRIVER}.`);
    for (const rest of ['lists', 'archives']) rmSync(join(work, rest), { recursive: true, force: true });
    // Paths as they are once the folder has its name.
    const final = (/** @type {string} */ path) => resolve(CACHE, path.slice(work.length + 1));
    const ICD = { library_path: final(driver), api_version: '1.3.0' };
    const loader = find(root, LOADER);
    const libraries = [driver, ...(loader ? [loader] : [])].map((path) => final(dirname(path)));
    writeFileSync(join(work, 'libraries'), [...new Set(libraries)].join(':'));
    writeFileSync(join(work, 'icd.json'), JSON.stringify({ file_format_version: '1.0.0', ICD }));
    rmSync(CACHE, { recursive: true, force: true });
    renameSync(work, CACHE);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/**
 * The mirror from which the system has its release.
 * @param {string} codename
 */
function mirrorOf(codename) {
  const targets = spawnSync('apt-get', ['indextargets', '--format', '$(REPO_URI) $(RELEASE)', 'Created-By: Packages'], {
    encoding: 'utf8',
  }).stdout;
  return targets
    ?.split('\n')
    .find((line) => line.endsWith(` ${codename}`))
    ?.split(' ')[0];
}

function release() {
  const text = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : '';
  return /^VERSION_CODENAME=(\w+)$/m.exec(text)?.[1] ?? '';
}

/**
 * @param {string} folder
 * @param {string} name
 */
function find(folder, name) {
  const entry = readdirSync(folder, { recursive: true, withFileTypes: true }).find((each) => each.name === name);
  return entry && join(entry.parentPath, entry.name);
}

/**
 * @param {string} program
 * @param {string[]} words
 */
function run(program, words) {
  const { status, stderr } = spawnSync(program, words, {
    stdio: ['ignore', 'ignore', 'pipe'],
    encoding: 'utf8',
    timeout: 3 * 60_000,
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
  if (status !== 0) throw new Error(`${program} failed: ${stderr.trim().split('\n').at(-1)}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const variables = ensureVulkan();
  const adapter = variables && testAdapter(variables);
  console.log(JSON.stringify({ variables, adapter }, undefined, 2));
}
