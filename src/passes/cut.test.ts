import { describe, expect, it } from 'vitest';
import { MismatchError } from '../errors.ts';
import { GraphBuilder } from '../onnx/builder.ts';
import { createNodeRuntime } from '../runtime/node.ts';
import { cut } from './cut.ts';

/** y = exp(a + b) * a, and z = |a|. */
function graph() {
  const builder = new GraphBuilder('whole');
  const [a, b] = [builder.input('a', 'float32', ['n']), builder.input('b', 'float32', ['n'])];
  builder.add('Add', [a, b], {}, { name: 'sum' });
  builder.output(builder.add('Mul', [builder.add('Exp', ['sum'], {}, { name: 'power' }), a]), 'float32', ['n'], 'y');
  builder.output(builder.add('Abs', [a], {}, { name: 'unread' }), 'float32', ['n'], 'z');
  return builder.build();
}
const value = (name: string) => ({ name, dataType: 'float32' as const, shape: ['n'] });

describe('cut', () => {
  it('goes on from the value: what only served to compute it is gone, and the result is the same', async () => {
    const rest = cut(graph(), [value('power')]);
    expect(rest.inputs.map(({ name }) => name)).toEqual(['a', 'power']);
    expect(rest.nodes.map(({ operator }) => operator)).not.toContain('Add');
    using runtime = await createNodeRuntime({ threads: 1 });
    using session = await runtime.createSession(rest);
    using a = runtime.upload({ dataType: 'float32', shape: [2], data: Float32Array.of(2, -3) });
    using power = runtime.upload({ dataType: 'float32', shape: [2], data: Float32Array.of(5, 7) });
    const { y, z } = await session.run({ a, power });
    if (!y || !z) throw new Error('an output is missing');
    expect([...((await runtime.read(y)).data as Float32Array)]).toEqual([10, -21]);
    expect([...((await runtime.read(z)).data as Float32Array)]).toEqual([2, 3]);
    y.dispose();
    z.dispose();
  });

  it('takes no value that nothing reads, and refuses an output', () => {
    const alone = { ...graph(), outputs: [value('z')] };
    expect(cut(alone, [value('power')]).inputs.map(({ name }) => name)).toEqual(['a']);
    expect(() => cut(graph(), [value('y')])).toThrow(MismatchError);
  });
});
