import { format } from 'node:util';
import { afterEach, beforeEach, expect, vi } from 'vitest';

/** A warning or an error on the console that a test did not ask for fails it: React's, ONNX Runtime's and Node's tell of faults that nothing else shows. */
let heard: string[] = [];
let spies: { mockRestore(): void }[] = [];

/** Warnings of Node itself, such as of a listener leak, come as events and not by the console. */
const onWarning = ({ name, message }: Error) => heard.push(`${name}: ${message}`);

beforeEach(() => {
  heard = [];
  spies = (['warn', 'error'] as const).map((method) =>
    vi.spyOn(console, method).mockImplementation((...words) => {
      heard.push(`console.${method}: ${format(...words)}`);
    }),
  );
  process.on('warning', onWarning);
});

afterEach(() => {
  process.off('warning', onWarning);
  for (const spy of spies) spy.mockRestore();
  expect(heard, 'heard on the console').toEqual([]);
});
