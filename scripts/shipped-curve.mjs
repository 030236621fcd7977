import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { importBuilt } from './build-library.mjs';

/**
 * Measures what the studio shows of its embedded model before it has measured anything itself: perplexity, divergence from the dense model and size from 0 to 80% for several methods, and what the
 * pruned models write. The measuring is the product's own, at the settings that the page begins with. Writes curve.json beside the model:
 * `node scripts/shipped-curve.mjs public/models/stories`.
 */
const STEPS = 16;
const LARGEST = 0.8;
const WINDOWS = 64;
const LENGTH = 128;
const DTYPE = 'f16';
/** The page's own recipe, and the methods that it may compare with it. */
const METHODS = ['saap', 'llm-pruner-element-first', 'wanda', 'flap', 'magnitude-l2', 'random'];
/** Widths in steps of this many neurons, as the page has them for its own recipe; methods are compared without. */
const ROUND_TO = 4;
const SAMPLE_STEPS = 2;
const PROMPT = 'Once upon a time, there was a little girl named Lily. She';
const NEW_TOKENS = 80;

/** @param {number} value */
const six = (value) => Number(value.toPrecision(6));

/** @param {string} folder */
async function measureCurve(folder) {
  const library = await importBuilt('index');
  const { decodeScores, denseReference, evaluate, exportedBytes, generate, openModel, parseMethod, plan, prune } =
    library;
  const scores = await decodeScores(new Uint8Array(readFileSync(join(folder, 'scores.safetensors'))));
  const evaluation = readFileSync(join(folder, 'evaluation.txt'));
  const open = await openModel(folder);
  try {
    const ids = (await open.tokenizer()).encode(evaluation.toString('utf8'), { addSpecialTokens: false });
    const windows = library.tokenWindows(ids, { length: LENGTH }).slice(0, WINDOWS);
    const against = await denseReference(open, windows);
    /** @param {string} method @param {number} ratio */
    const planned = (method, ratio) =>
      plan(scores, {
        ...parseMethod(method).recipe,
        ...(method === METHODS[0] && { roundTo: ROUND_TO }),
        ...{ target: { kind: 'ratio', value: ratio }, seed: 0, dtype: DTYPE },
      });
    /** @param {string} method @param {number} step */
    const point = async (method, step) => {
      const ratio = Number(((step * LARGEST) / STEPS).toFixed(3));
      const made = await prune(open, { plan: planned(method, ratio) });
      try {
        const measured = await evaluate(made.pruned, { windows, against });
        return {
          ...{ ratio, removed: six(made.plan.ratio), parameters: made.plan.parametersAfter },
          ...{ bytes: exportedBytes(made.pruned, DTYPE), perplexity: six(measured.perplexity) },
          ...{ standardError: six(measured.standardError), klDivergence: six(measured.klDivergence ?? Number.NaN) },
        };
      } finally {
        made.pruned.dispose();
      }
    };
    const methods = [];
    for (const name of METHODS) {
      const points = [];
      for (let step = 1; step <= STEPS; step += 1) points.push(await point(name, step));
      methods.push({ name, points });
      console.error(`${name}: perplexity ${points.map(({ perplexity }) => perplexity.toFixed(2)).join(' ')}`);
    }
    const samples = [];
    for (let step = 0; step <= STEPS; step += SAMPLE_STEPS) {
      const ratio = Number(((step * LARGEST) / STEPS).toFixed(3));
      const made = await prune(open, { plan: planned('saap', ratio) });
      const { text } = await generate(made.pruned, { prompt: PROMPT, maxNewTokens: NEW_TOKENS, temperature: 0 });
      made.pruned.dispose();
      samples.push({ ratio, text });
    }
    const dense = await evaluate(open, { windows });
    const { name, sha256, parameters } = scores.model;
    return {
      format: 'espalier-curve/1',
      model: { name, sha256, parameters },
      engine: { version: library.VERSION, backend: open.runtime.backend },
      date: new Date().toISOString().slice(0, 10),
      text: {
        ...{ source: 'evaluation.txt', sha256: createHash('sha256').update(evaluation).digest('hex') },
        ...{ windows: dense.windows, length: LENGTH },
      },
      dtype: DTYPE,
      dense: {
        ...{ perplexity: six(dense.perplexity), standardError: six(dense.standardError) },
        ...{ parameters, bytes: exportedBytes(open, DTYPE) },
      },
      methods,
      samples: { prompt: PROMPT, newTokens: NEW_TOKENS, texts: samples },
    };
  } finally {
    open.dispose();
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [folder = 'public/models/stories'] = process.argv.slice(2);
  writeFileSync(join(folder, 'curve.json'), `${JSON.stringify(await measureCurve(folder))}\n`);
}
