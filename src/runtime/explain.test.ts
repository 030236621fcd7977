import { expect, test } from 'vitest';
import { OutOfMemoryError } from '../errors.ts';
import { explainFailure } from './explain.ts';

test.each([
  [
    'External data path validation failed for initializer: w. Error: External data path does not exist: "/m/model.onnx_data"',
    'm.onnx could not be compiled: its weights are not there (/m/model.onnx_data). Put that file beside the model.',
  ],
  [
    'Deserialize tensor w failed. External initializer: w offset: 96 size to read: 256 given file_length: 100 are out of bounds or can not be read in full.',
    'm.onnx could not be compiled: its file of weights ends before w, so that it is cut short or of another model. Take both files again.',
  ],
  ['No Op registered for X', 'm.onnx could not be compiled: No Op registered for X'],
])('ONNX Runtime says: %s', (said, told) => {
  expect(explainFailure('m.onnx could not be compiled', new Error(said)).message).toBe(told);
});

test('memory that ends is an error of its own', () => {
  expect(explainFailure('m.onnx', new Error('std::bad_alloc'))).toBeInstanceOf(OutOfMemoryError);
});
