import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { exampleFolder, programsOf, runPrograms } from './programs.mjs';

/** What writes the folder that the programs of docs/onnx.md open. */
export const EXPORT = {
  heading: 'export',
  language: 'js',
  text: `import { generate, openExported, openModel, plan, prune, decodeScores } from 'espalier';
import { readFile } from 'node:fs/promises';
const model = await openModel('stories');
const scores = await decodeScores(await model.checkpoint.file('scores.safetensors'));
const { pruned } = await prune(model, {
  plan: plan(scores, { target: { kind: 'ratio', value: 0.2 } }), output: 'stories-20',
});
pruned.dispose();
model.dispose();
const exported = await openExported('stories-20');
const { text } = await generate(exported, { prompt: 'Once upon a time', maxNewTokens: 8 });
console.log(\`Once upon a time\${text}\`);
exported[Symbol.dispose]();`,
};

/** A Python interpreter that has these modules; undefined where there is none. @param {readonly string[]} modules */
export function pythonWith(modules) {
  const candidates = [...(process.env.PYTHON ? [process.env.PYTHON] : []), 'python3', 'python'];
  return candidates.find(
    (name) =>
      spawnSync(name, ['-c', `import ${modules.join(', ')}`], { stdio: 'ignore', timeout: 60_000 }).status === 0,
  );
}

/** Runs a Python program in a folder. @param {string} python @param {string} folder @param {string} text */
export function runPython(python, folder, text) {
  writeFileSync(join(folder, 'program.py'), text);
  return spawnSync(python, ['program.py'], { cwd: folder, encoding: 'utf8' });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { folder, remove } = await exampleFolder();
  try {
    const { printed, stderr, code } = await runPrograms(folder, [EXPORT]);
    if (code !== 0) throw new Error(stderr);
    console.log(`Espalier: ${printed[0]}`);
    for (const { heading, text } of programsOf('docs/onnx.md', ['python'])) {
      const modules = [...text.matchAll(/^(?:import|from) (\w+)/gm)].map(([, name = '']) => name);
      const python = pythonWith(modules);
      if (python) console.log(`${heading}: ${runPython(python, folder, text).stdout}`);
      else console.log(`${heading}: not run; no Python with ${modules.join(', ')} was found.`);
    }
  } finally {
    remove();
  }
}
