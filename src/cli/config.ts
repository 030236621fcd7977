import { readFileSync } from 'node:fs';
import type { Command, Option } from 'commander';
import { isRecord } from '../checkpoint/files/json.ts';
import { EspalierError, FileFormatError, MissingError, UsageError } from '../errors.ts';
import { RECIPE_ENTRIES } from '../library/plan.ts';

/** Ways to say what a plan is to reach: a target of the command line replaces that of the file. */
const TARGETS = ['ratio', 'parameters', 'bytes', 'memory'];

/**
 * Fills in options of a command from a JSON file: a recipe, alone or in what has one (a plan file, the espalier.json of an export), or options by their long names.
 * What the command line gives stays. Fields of a recipe that the command has no use for are passed over.
 * Throws MissingError, FileFormatError, and UsageError for a name or a value that there is not.
 */
export function applyConfig(command: Command, file: string): void {
  const given = (attribute: string) => command.getOptionValueSource(attribute) === 'cli';
  const { asked, recipe } = parted(readConfig(file));
  const isRecipes = (name: string) => Object.hasOwn(recipe, name);
  for (const [name, value] of Object.entries({ ...recipe, ...asked })) {
    const option = command.options.find((known) => named(known).includes(name));
    const field = RECIPE_ENTRIES.find(([known]) => known === name);
    if (!option) {
      if (!field && !isRecipes(name)) throw unknownName(name, file, command);
      if (!field || field[1].isRecorded) continue;
      const [, { kind }] = field;
      // A field that has no option, such as weights that a search found: the planner reads it all the same.
      const checked = kind.read(value, name, (path, found, expected) => {
        throw new FileFormatError(`${file}: ${path} is ${JSON.stringify(found)}; it must be ${expected}.`);
      });
      command.setOptionValueWithSource(name, checked, 'config');
      continue;
    }
    const attribute = option.attributeName();
    if (given(attribute) || (TARGETS.includes(attribute) && TARGETS.some(given))) continue;
    if (attribute === 'context' && TARGETS.some((target) => target !== 'memory' && given(target))) continue;
    command.setOptionValueWithSource(attribute, parsed(option, value, file), 'config');
  }
}

function readConfig(file: string): Readonly<Record<string, unknown>> {
  let text: string;
  try {
    text = readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw new MissingError(`There is no file ${file}, which --config names.`, { cause: error });
    if (code === 'EISDIR')
      throw new MissingError(`${file} is a folder; --config takes a JSON file, such as its espalier.json.`);
    throw error;
  }
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    throw new FileFormatError(`${file} is not JSON; --config takes a recipe, or options by their names.`, {
      cause: error,
    });
  }
  const recipe = isRecord(document) && isRecord(document.recipe) ? document.recipe : document;
  if (!isRecord(recipe))
    throw new FileFormatError(`${file} is no JSON object; --config takes a recipe, or options by their names.`);
  return recipe;
}

/** What is asked for by name, and what the records of a recipe stand for: its target as options, and of its calibration what can be asked for again. */
function parted({ target, calibration, ...asked }: Readonly<Record<string, unknown>>): {
  readonly asked: Readonly<Record<string, unknown>>;
  readonly recipe: Readonly<Record<string, unknown>>;
} {
  return {
    asked: { ...asked, ...(Array.isArray(calibration) && { calibration }) },
    recipe: {
      ...(isRecord(calibration) && { windows: calibration.windows, length: calibration.length }),
      ...(isRecord(target) && { [String(target.kind)]: target.value }),
      ...(isRecord(target) && target.context !== undefined && { context: target.context }),
    },
  };
}

const named = (option: Option) => [option.name(), option.attributeName()];

/** The value as the option's own words say it. */
function parsed(option: Option, value: unknown, file: string): unknown {
  if (option.isBoolean()) {
    if (typeof value === 'boolean') return value;
    throw new UsageError(`${file}: ${option.name()} is ${JSON.stringify(value)}; it must be true or false.`);
  }
  const texts = (Array.isArray(value) ? value : [value]).map((each: unknown) => {
    if (typeof each === 'string' || typeof each === 'number') return String(each);
    throw new UsageError(
      `${file}: ${option.name()} is ${JSON.stringify(value)}; it must be what --${option.name()} takes.`,
    );
  });
  if (option.variadic) return texts;
  try {
    const text = texts.join(',');
    return option.parseArg ? option.parseArg(text, undefined) : text;
  } catch (error) {
    if (error instanceof EspalierError) throw new UsageError(`${file}: ${error.message}`, { cause: error });
    throw error;
  }
}

function unknownName(name: string, file: string, command: Command): UsageError {
  const known = command.options.filter((option) => option.long !== '--config').map((option) => option.name());
  return new UsageError(
    `${file} has "${name}", which is no option of ${command.name()}. It takes ${known.join(', ')}, and the fields of a recipe.`,
  );
}
