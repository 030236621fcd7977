import type { Command } from 'commander';
import { EXPORT_FORMATS } from '../decoder/dtypes.ts';
import { damageSentence } from '../library/damage.ts';
import { diskOutput } from '../library/disk.ts';
import {
  GGUF_TYPES,
  type GgufType,
  type Rounding,
  TAKE_AWAY_FORMATS,
  type TakeAwayFormat,
  type TakenAway,
} from '../library/export.ts';
import { checkPlanFits, reached, reachedSentence } from '../library/plan.ts';
import { checkCompensation } from '../library/prune.ts';
import { prune } from '../library/prune-to-disk.ts';
import type { VocabularyCost } from '../library/vocabulary.ts';
import {
  hasCalibration,
  readCompensationWindows,
  readRoundingWindows,
  readVerificationWindows,
} from './calibration.ts';
import { addChoosePlanOptions, type ChoosePlanOptions, choosePlan } from './choose-plan.ts';
import { createConsole } from './console.ts';
import { megabytes } from './megabytes.ts';
import { addMethodOption, withMethod } from './method-option.ts';
import { computedOn, withModel } from './models.ts';
import {
  addCalibrationOptions,
  addCommonOptions,
  type CommonOptions,
  DEFAULT_COMPENSATION_WINDOWS,
  DEFAULT_ROUNDING_WINDOWS,
  listOf,
  oneOf,
  realNumber,
  wholeNumber,
} from './options.ts';
import { describePlan } from './plan.ts';
import { AUTO_VOCABULARY, addPlanOptions } from './plan-options.ts';

/** Bytes a parameter below which a model is not stored in f32. */
const LESS_THAN_F32 = 3;

const GGUF_TYPE_NAMES = Object.keys(GGUF_TYPES) as GgufType[];

interface PruneOptions extends CommonOptions, ChoosePlanOptions {
  readonly method?: string;
  readonly compensate: 'none' | 'bias' | 'least-squares';
  readonly compensationWindows?: number;
  readonly lambda?: number;
  readonly output: string;
  readonly force?: boolean;
  readonly format: readonly TakeAwayFormat[];
  readonly ggufType: GgufType;
  readonly safetensorsType?: 'f32' | 'f16' | 'bf16';
  readonly rounding?: Rounding;
  readonly roundingWindows?: number;
}

const SAFETENSORS_TYPES = { f32: 'float32', f16: 'float16', bf16: 'bfloat16' } as const;

export function addPrune(program: Command, signal: AbortSignal): void {
  const command = program
    .command('prune <model>')
    .description('slices, compensates, exports and verifies a pruned ONNX model');
  addCommonOptions(addCalibrationOptions(addChoosePlanOptions(addMethodOption(addPlanOptions(command)))))
    .option(
      '--compensate <how>',
      'repair of the output projections: none, bias or least-squares',
      oneOf('--compensate', ['none', 'bias', 'least-squares']),
      'none',
    )
    .option(
      '--compensation-windows <n>',
      `calibration windows that compensation learns from (default: ${DEFAULT_COMPENSATION_WINDOWS}, or as many as the text has)`,
      wholeNumber('--compensation-windows', 1),
    )
    .option(
      '--lambda <l>',
      'ridge of least-squares, relative to the mean diagonal (default: 0.001)',
      realNumber('--lambda', 0),
    )
    .option(
      '--format <list>',
      `what to write, separated by commas: ${TAKE_AWAY_FORMATS.join(', ')}`,
      listOf('--format', TAKE_AWAY_FORMATS),
      ['onnx'] as const,
    )
    .option(
      '--gguf-type <type>',
      `storage of the matrices of a GGUF file: ${GGUF_TYPE_NAMES.join(', ')}`,
      oneOf('--gguf-type', GGUF_TYPE_NAMES),
      'F16',
    )
    .option(
      '--safetensors-type <type>',
      'number format of safetensors: f32, f16 or bf16 (default: f32 with --dtype f32, else f16)',
      oneOf('--safetensors-type', ['f32', 'f16', 'bf16']),
    )
    .option(
      '--rounding <how>',
      'how q4 rounds: gptq, which needs calibration text; weighted, to the nearest on grids that suit the inputs; or nearest, all weights alike (default: gptq where there is such text, else weighted)',
      oneOf('--rounding', ['gptq', 'weighted', 'nearest']),
    )
    .option(
      '--rounding-windows <n>',
      `calibration windows that gptq learns from (default: ${DEFAULT_ROUNDING_WINDOWS}, or as many as the text has)`,
      wholeNumber('--rounding-windows', 1),
    )
    .option(
      '--force',
      'export although the plan removes nothing, or a coarse format is farther from the model than its bounds allow',
    )
    .requiredOption('--output <folder>', 'folder to write')
    .action(async (name: string, given: PruneOptions) => {
      const options = withMethod(given);
      const output = createConsole({ json: options.json ?? false, quiet: options.quiet ?? false });
      const folder = await diskOutput(options.output);
      try {
        await withModel(name, options, signal, async (open) => {
          const plan = await choosePlan(name, open, options, output, signal);
          checkPlanFits(plan, open.layerGroups());
          checkCompensation(plan.recipe.shape, options.compensate);
          const dtype = options.dtype ?? plan.recipe.dtype ?? 'f32';
          // What was chosen by measuring stands in the plan.
          const keep =
            options.vocabulary === AUTO_VOCABULARY
              ? plan.recipe.vocabulary
              : (options.vocabulary ?? plan.recipe.vocabulary);
          const { note } = EXPORT_FORMATS[dtype];
          // GGUF files have numbers of their own (--gguf-type).
          const takesDtype = options.format.some((each) => each !== 'gguf');
          if (note && takesDtype) output.note(`${dtype}: ${note}`);
          if (
            takesDtype &&
            options.dtype === undefined &&
            open.model.checkpoint.byteLength < LESS_THAN_F32 * plan.parametersBefore
          )
            output.note(
              'f32, since no --dtype was given. The model itself is stored in fewer bytes; f16 is half of it.',
            );
          const windows =
            options.compensate === 'none' ? undefined : await readCompensationWindows(name, open, options, { signal });
          const rounding = options.rounding ?? (hasCalibration(name, options) ? 'gptq' : 'weighted');
          const {
            pruned,
            exported: result,
            fromDense,
            vocabulary,
          } = await prune(open, {
            plan,
            output: folder,
            compensate: options.compensate,
            dtype,
            rounding,
            ...(dtype === 'q4' &&
              rounding === 'gptq' && { roundingWindows: await readRoundingWindows(name, open, options, { signal }) }),
            verificationWindows: hasCalibration(name, options)
              ? await readVerificationWindows(name, open, options, { signal })
              : undefined,
            ...(keep !== undefined && {
              vocabulary: keep,
              vocabularyWindows: windows ?? (await readCompensationWindows(name, open, options, { signal })),
            }),
            formats: options.format,
            force: options.force,
            ggufType: options.ggufType,
            safetensorsType: options.safetensorsType && SAFETENSORS_TYPES[options.safetensorsType],
            signal,
            onProgress: output.onProgress,
            ...(windows ? { windows } : {}),
            ...(options.lambda === undefined ? {} : { lambda: options.lambda }),
          });
          pruned.dispose();
          const { parametersBefore, parametersAfter, bytes, formats } = result;
          const verification = { ...result.verification, ...(fromDense && { fromDense }) };
          const files = result.files.map((file) => ({ name: file.name, bytes: file.bytes }));
          for (const each of formats) for (const sentence of each.notes) output.note(`${each.file}: ${sentence}`);
          if (verification.exceeded) output.note(`${verification.exceeded} It was kept because of --force.`);
          const { config } = open.model.checkpoint;
          const found = reached(
            { groups: open.layerGroups(), model: { parameters: plan.parametersBefore, config } },
            plan,
          );
          const size = { parametersBefore, parametersAfter, ratio: plan.ratio, bytes, ...computedOn(open.runtime) };
          output.result(
            {
              ...size,
              reached: found,
              verification,
              ...(vocabulary && { vocabulary }),
              files,
              formats,
              output: options.output,
            },
            () => [
              ...describePlan(plan),
              reachedSentence(found, plan),
              ...(fromDense ? [damageSentence(fromDense)] : []),
              ...(vocabulary ? [describeVocabulary(vocabulary)] : []),
              ...formats.map(describeFormat),
              `Wrote ${options.output}.`,
            ],
          );
        });
      } finally {
        await folder.discard();
      }
    });
}

function describeFormat({ file, bytes, type, opens, verification }: TakenAway): string {
  const { maxAbsoluteDifference, top1Agreement, positions } = verification;
  return `${file}: ${megabytes(bytes)}, ${type}, for ${opens}; over ${positions} positions the largest logit difference is ${maxAbsoluteDifference.toExponential(1)}, and the most probable token the same at ${(top1Agreement * 100).toFixed(1)}%.`;
}

function describeVocabulary(cost: VocabularyCost): string {
  const { tokensBefore, tokensAfter, tokensPerWordBefore, tokensPerWordAfter } = cost;
  return `Vocabulary: ${tokensAfter} of ${tokensBefore} tokens stay; calibration text takes ${tokensPerWordAfter.toFixed(3)} tokens per word instead of ${tokensPerWordBefore.toFixed(3)}.`;
}
