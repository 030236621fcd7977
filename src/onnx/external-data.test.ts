import { describe, expect, it } from 'vitest';
import { CancelledError, FileFormatError, MissingError } from '../errors.ts';
import { GraphBuilder } from './builder.ts';
import { externalFileFromBytes, readTensorContents, resolveExternalData } from './external-data.ts';
import { ExternalDataLayout, externalDataBytes, planExternalData } from './external-layout.ts';
import type { Graph, Initializer } from './graph.ts';
import { readModel } from './read.ts';
import { writeModel } from './write.ts';

function twoTensors(): Graph {
  const builder = new GraphBuilder('two-tensors');
  const first = builder.constant([1, 2, 3, 4], [2, 2]);
  const second = builder.constant([5, 6], [2]);
  builder.output(builder.add('Add', [first, second]), 'float32', [2, 2], 'sum');
  return builder.build();
}

/** The graph with `tensor` as its only initializer 'w'. */
function graphOf(tensor: Initializer): Graph {
  return { ...twoTensors(), nodes: [], outputs: [], initializers: new Map([['w', tensor]]) };
}

const reference = (location: string, offset: number, length: number): Initializer => ({
  dataType: 'uint8',
  shape: [length],
  contents: { kind: 'external', location, offset, length },
});

describe('external data', () => {
  it('that was planned, written, read and resolved is the same graph', async () => {
    const graph = twoTensors();
    const external = planExternalData(graph, 'model.onnx_data', { threshold: 0 });
    const read = readModel(writeModel(external.graph));
    expect(read).toEqual(external.graph);
    const opened: string[] = [];
    const file = externalFileFromBytes(externalDataBytes(external));
    const resolved = await resolveExternalData(read, (location) => {
      opened.push(location);
      return file;
    });
    expect(resolved).toEqual(graph);
    expect(opened).toEqual(['model.onnx_data']);
  });

  it('is placed before its contents exist', async () => {
    const layout = new ExternalDataLayout('weights', 16);
    expect(layout.place('a', 'float16', [3]).contents).toEqual({
      kind: 'external',
      location: 'weights',
      offset: 0,
      length: 6,
    });
    expect(layout.place('b', 'int64', [2, 2]).contents).toMatchObject({ offset: 16, length: 32 });
    expect(layout.place('empty', 'int64', [0]).contents).toMatchObject({ offset: 48, length: 0 });
    expect(layout.byteLength).toBe(48);
    expect(layout.tensors.map(({ name }) => name)).toEqual(['a', 'b', 'empty']);
  });

  it('in attributes is resolved too', async () => {
    const value = reference('weights', 1, 2);
    const graph: Graph = {
      ...graphOf(value),
      nodes: [
        {
          name: 'constant',
          operator: 'Constant',
          domain: '',
          inputs: [],
          outputs: ['c'],
          attributes: { value: { kind: 'tensor', value } },
        },
      ],
    };
    const resolved = await resolveExternalData(graph, () => externalFileFromBytes(Uint8Array.of(1, 2, 3)));
    expect(resolved.nodes[0]?.attributes.value).toEqual({
      kind: 'tensor',
      value: { ...value, contents: { kind: 'bytes', bytes: Uint8Array.of(2, 3) } },
    });
  });

  it('is checked against the length of its file before anything is read', async () => {
    let reads = 0;
    const file = {
      byteLength: 8,
      read: async (start: number, end: number) => {
        reads++;
        return new Uint8Array(end - start);
      },
    };
    const graph: Graph = {
      ...graphOf(reference('weights', 0, 8)),
      initializers: new Map([
        ...graphOf(reference('weights', 0, 8)).initializers,
        ['big', reference('weights', 4, 1e12)],
      ]),
    };
    await expect(resolveExternalData(graph, () => file)).rejects.toThrow(
      /big lies at bytes 4 to 1000000000004 of weights, which has 8/,
    );
    await expect(resolveExternalData(graph, () => file)).rejects.toThrow(FileFormatError);
    expect(reads).toBe(0);
  });

  it('that is missing is named, with the remedy', async () => {
    const missing = resolveExternalData(graphOf(reference('weights', 0, 1)), () => undefined);
    await expect(missing).rejects.toThrow(MissingError);
    await expect(missing).rejects.toThrow(/weights, which holds tensor w, is not there\. Put it beside the model/);
  });

  it('is never looked for outside the folder of the model', async () => {
    const open = () => {
      throw new Error('opened');
    };
    for (const location of ['/etc/passwd', '../w', 'a/../../w', 'a\0', 'c:w']) {
      const resolved = readTensorContents('w', reference(location, 0, 1), open);
      await expect(resolved, location).rejects.toThrow(FileFormatError);
    }
  });

  it('that reads short is refused', async () => {
    const file = { byteLength: 8, read: async () => new Uint8Array(3) };
    await expect(readTensorContents('w', reference('weights', 0, 8), () => file)).rejects.toThrow(/gave 3 of 8 bytes/);
  });

  it('stops being read when cancelled', async () => {
    const graph = graphOf(reference('weights', 0, 1));
    const resolved = resolveExternalData(graph, () => externalFileFromBytes(new Uint8Array(8)), {
      signal: AbortSignal.abort(),
    });
    await expect(resolved).rejects.toThrow(CancelledError);
  });
});
