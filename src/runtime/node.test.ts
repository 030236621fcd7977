import { describe, expect, test } from 'vitest';
import { GraphBuilder } from '../onnx/builder.ts';
import { createNodeRuntime } from './node.ts';

const vector = (...values: number[]) => ({
  dataType: 'float32' as const,
  shape: [values.length],
  data: Float32Array.from(values),
});

describe('Node runtime', () => {
  test('elementwise results may be written over their own input', async () => {
    using runtime = await createNodeRuntime({ threads: 1 });
    const builder = new GraphBuilder('accumulate');
    const sum = builder.input('sum', 'float32', ['n']);
    builder.output(builder.add('Add', [sum, builder.input('term', 'float32', ['n'])]), 'float32', ['n'], 'total');
    using session = await runtime.createSession(builder.build());
    using total = runtime.upload(vector(1, 2, 3));
    using term = runtime.upload(vector(10, 20, 30));
    for (let turn = 0; turn < 3; turn++) await session.run({ sum: total, term }, { into: { total } });
    expect([...(await runtime.read(total)).data]).toEqual([31, 62, 93]);
  });
});
