import type { Command } from 'commander';
import { throwIfCancelled } from '../errors.ts';
import { type Inspection, inspect } from '../library/inspect.ts';
import { createConsole } from './console.ts';
import { megabytes } from './megabytes.ts';
import { computedOn, withModel } from './models.ts';
import { addCommonOptions, type CommonOptions } from './options.ts';

export function addInspect(program: Command, signal: AbortSignal): void {
  addCommonOptions(
    program.command('inspect <model>').description('what the model is and which groups discovery finds'),
  ).action(async (name: string, options: CommonOptions) => {
    const output = createConsole({ json: options.json ?? false, quiet: options.quiet ?? false });
    const found = await withModel(name, options, signal, async (open) => ({
      ...inspect(open),
      ...computedOn(open.runtime),
    }));
    throwIfCancelled(signal);
    output.result(found, () => describeModel(found));
  });
}

const count = (value: number) => value.toLocaleString('en-US');

function describeModel(found: Inspection): string[] {
  const lines = [
    `${found.name}: ${found.architecture} (${found.family}), ${count(found.parameters)} parameters (${count(found.blockParameters)} in blocks, ${count(found.prunableParameters)} prunable)`,
    `${found.layers.length} layers, hidden size ${found.hiddenSize}, head dimension ${found.headDimension}, ${found.queryHeadsPerGroup} query heads a group, vocabulary ${count(found.vocabulary)}`,
    `${count(found.multiplyAccumulates.perToken)} multiply-accumulates a token, with a context of ${count(found.multiplyAccumulates.context)}`,
    `${found.format}, ${megabytes(found.bytes)}${found.licence ? `, licence ${found.licence}` : ''}`,
    '',
    'layer  attention groups  parameters each  neurons  parameters each',
    ...found.layers.map(
      ({ attention, mlp }, layer) =>
        `${String(layer).padStart(5)}  ${String(attention.groups).padStart(16)}  ${count(attention.parametersPerGroup).padStart(15)}  ${String(mlp.groups).padStart(7)}  ${count(mlp.parametersPerGroup).padStart(15)}`,
    ),
  ];
  for (const { kind, groups, members } of found.structures)
    lines.push('', `One of ${groups} ${kind} groups owns:`, ...members.map((member) => `  ${member}`));
  return lines;
}
