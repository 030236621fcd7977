import { isRecord, type JsonRecord } from '../../checkpoint/files/json.ts';
import { FileFormatError } from '../../errors.ts';
import type { LayerGroups, Module } from '../structures/structures.ts';
import type { Scores } from '../sums/scores.ts';

const REMEDY = 'Score the model again.';

/** Parsers of the metadata that score files and their parts share. All throw FileFormatError naming `file`, the field, the value found and what is expected. */
export function parseGroups(value: unknown, file: string): LayerGroups[] {
  if (!Array.isArray(value))
    throw new FileFormatError(`${file}: the metadata "groups" is missing or no list. ${REMEDY}`);
  return value.map((layer: unknown, index) => {
    const module = (name: Module) => {
      const read = fields(isRecord(layer) ? layer[name] : undefined, `groups[${index}].${name}`, file);
      const groups = read.count('groups');
      const { experts } = read.record;
      const sizes = Array.isArray(experts) ? experts.filter((size) => Number.isSafeInteger(size) && size >= 0) : [];
      if (experts !== undefined && (sizes.length === 0 || sizes.reduce((sum, size) => sum + size, 0) !== groups))
        throw new FileFormatError(
          `${file}: groups[${index}].${name}.experts must list the neurons of each expert, ${groups} together. ${REMEDY}`,
        );
      return {
        groups,
        parametersPerGroup: read.count('parametersPerGroup'),
        ...(experts !== undefined && { experts: sizes as number[], perToken: read.count('perToken') }),
      };
    };
    const convolves = isRecord(layer) && layer.convolution !== undefined;
    return {
      attention: module('attention'),
      ...(convolves && { convolution: module('convolution') }),
      mlp: module('mlp'),
      ...(isRecord(layer) &&
        layer.beside !== undefined && { beside: fields(layer, `groups[${index}]`, file).count('beside') }),
    };
  });
}

export function parseModel(value: unknown, file: string): Scores['model'] {
  const read = fields(value, 'model', file);
  const revision = read.record.revision === undefined ? {} : { revision: read.text('revision') };
  return {
    name: read.text('name'),
    ...revision,
    sha256: read.text('sha256'),
    config: fields(read.record.config, 'model.config', file).record,
    parameters: read.count('parameters'),
  };
}

export function parseCalibration(value: unknown, file: string): Scores['calibration'] {
  const { count, number } = fields(value, 'calibration', file);
  return { ...parseText(value, file), loss: number('loss'), tokens: count('tokens') };
}

/** Which windows of which text a run is of. */
export function parseText(value: unknown, file: string): Omit<Scores['calibration'], 'loss' | 'tokens'> {
  const { text, count, record } = fields(value, 'calibration', file);
  const { objective } = record;
  if (objective !== undefined && objective !== 'model' && objective !== 'teacher')
    throw new FileFormatError(
      `${file}: calibration.objective is ${JSON.stringify(objective)}; it must be model or teacher, or be left out. ${REMEDY}`,
    );
  return {
    ...(objective && { objective }),
    ...(record.draws !== undefined && { draws: count('draws') }),
    source: text('source'),
    sha256: text('sha256'),
    windows: count('windows'),
    length: count('length'),
    seed: count('seed'),
  };
}

export function parseEngine(value: unknown, file: string): Scores['engine'] {
  const { text, record } = fields(value, 'engine', file);
  const notes = Array.isArray(record.notes) ? record.notes.filter((note) => typeof note === 'string') : [];
  const { precision } = record;
  if (precision !== undefined && precision !== 'f16')
    throw new FileFormatError(
      `${file}: engine.precision is ${JSON.stringify(precision)}; it must be f16, or be left out. ${REMEDY}`,
    );
  return {
    version: text('version'),
    backend: text('backend'),
    ...(precision && { precision }),
    ...(notes.length > 0 && { notes }),
  };
}

/** Checked access to the fields of a metadata record. */
export function fields(value: unknown, path: string, file: string) {
  if (!isRecord(value)) throw new FileFormatError(`${file}: the metadata "${path}" is missing or no object. ${REMEDY}`);
  const record: JsonRecord = value;
  const read =
    <T>(expected: string, test: (field: unknown) => field is T) =>
    (key: string): T => {
      const field = record[key];
      if (test(field)) return field;
      throw new FileFormatError(
        `${file}: ${path}.${key} is ${JSON.stringify(field) ?? 'missing'}; it must be ${expected}. ${REMEDY}`,
      );
    };
  return {
    record,
    text: read('text', (field) => typeof field === 'string'),
    number: read('a finite number', (field): field is number => typeof field === 'number' && Number.isFinite(field)),
    count: read(
      'a whole number, 0 or more',
      (field): field is number => Number.isSafeInteger(field) && (field as number) >= 0,
    ),
  };
}
