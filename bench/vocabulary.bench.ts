import { openNamed } from '../src/checkpoint/local.ts';
import { beginningToken } from '../src/checkpoint/tokenizer/beginning.ts';
import { readTextIds } from '../src/cli/text-files.ts';
import { compareSpeeds } from '../src/evaluate/speed/speed.ts';
import { timedDecoder, timingPrompt } from '../src/evaluate/speed/timed-decoder.ts';
import { tokenWindows } from '../src/evaluate/token-windows.ts';
import { decoderForModel } from '../src/generate/model-decoder.ts';
import { evaluate } from '../src/library/evaluate.ts';
import { OpenModel } from '../src/library/open-model.ts';
import { exportedBytes } from '../src/library/storage.ts';
import { trimVocabulary } from '../src/library/vocabulary.ts';
import { createNodeRuntime } from '../src/runtime/node.ts';

const LENGTH = 128;
const SPEED = { promptTokens: 64, newTokens: 16, seconds: 30 };

/**
 * What a smaller vocabulary costs and saves: tokens per word, perplexity and bits per byte of a text in windows that begin with the token that the tokenizer puts before a text, where it puts one, and without it; bytes of the exports, decoding speed over the whole vocabulary's in f32, token by token in turn.
 * Options: a model, a text to choose tokens by, a text to measure on, sizes separated by commas (default 0.5,0.25), tokens of either text (default 8192,4096).
 */
export async function run([
  name = '',
  calibration = '',
  text = '',
  sizes = '0.5,0.25',
  counts = '8192,4096',
]: readonly string[]): Promise<void> {
  if (text === '') {
    console.log('Give a model and two texts: npm run bench -- vocabulary MODEL CALIBRATION TEXT [SIZES] [TOKENS]');
    return;
  }
  const [chosenOn = 8192, measuredOn = 4096] = counts.split(',').map(Number);
  using runtime = await createNodeRuntime();
  using open = new OpenModel(runtime, await openNamed(name));
  const windowsOf = async (model: OpenModel, file: string, maxTokens: number) => {
    const { ids } = await readTextIds([file], await model.tokenizer(), { maxTokens, wantsDigest: false });
    return tokenWindows(ids, { length: LENGTH });
  };
  const chosen = await windowsOf(open, calibration, chosenOn);
  const windows = await windowsOf(open, text, measuredOn);
  const tokenizer = await open.tokenizer();
  const written = windows.map((window) => tokenizer.decode(Array.from(window))).join('');
  const words = written.match(/\S+/g)?.length ?? 1;
  using decoder = await decoderForModel(runtime, open.model);
  const bytesOf = (model: OpenModel) =>
    (['f32', 'f16', 'q4'] as const).map((dtype) => `${(exportedBytes(model, dtype) / 1e6).toFixed(1)} MB`);
  const line = async (model: OpenModel, label: string, speed: string) => {
    const ids = (await model.tokenizer()).encode(written, { addSpecialTokens: false });
    const first = beginningToken(await model.tokenizer());
    const figures = await evaluate(model, { windows: tokenWindows(ids, { length: LENGTH }) });
    const begun =
      first !== undefined &&
      (await evaluate(model, {
        windows: tokenWindows(ids, { length: LENGTH - 1 }).map((window) => [first, ...window]),
      }));
    const of = (name: 'perplexity' | 'bitsPerByte', digits: number) =>
      [begun, figures].map((each) => (each === false ? 'none' : (each[name]?.toFixed(digits) ?? 'none'))).join(' / ');
    console.log(
      `| ${label} | ${model.config.vocabulary.toLocaleString('en-US')} | ${(ids.length / words).toFixed(3)} | ${of('perplexity', 2)} | ${of('bitsPerByte', 4)} | ${bytesOf(model).join(' | ')} | ${speed} |`,
    );
  };
  console.log(`${name}, ${words} words of ${text}, ${runtime.description}`);
  console.log(
    '| kept | tokens | tokens per word | perplexity with / without a first token | bits per byte with / without | f32 | f16 | q4 | decoding speed |',
  );
  console.log('|---|---|---|---|---|---|---|---|---|');
  await line(open, 'all', '1');
  for (const keep of sizes.split(',')) {
    const trimmed = await trimVocabulary(open, { keep, windows: chosen });
    using model = trimmed.model;
    using smaller = await decoderForModel(runtime, model.model);
    const { decode } = await compareSpeeds(
      { dense: timedDecoder(decoder, 0), pruned: timedDecoder(smaller, 0) },
      timingPrompt(SPEED.promptTokens, model.config.vocabulary),
      SPEED,
    );
    const speed = `×${decode.value.toFixed(2)} (${decode.low.toFixed(2)} to ${decode.high.toFixed(2)})`;
    await line(model, keep, speed);
  }
}
