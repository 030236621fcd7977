import fc from 'fast-check';
import { zipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import { EspalierError, FileFormatError } from '../../../errors.ts';
import { zipBlob } from '../../../export/zip.ts';
import { filesOfZip } from './zip-files.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const texts = async (archive: Blob) =>
  Object.fromEntries(
    await Promise.all((await filesOfZip(archive, 'a.zip')).map(async ({ path, blob }) => [path, await blob.text()])),
  );

describe('filesOfZip', () => {
  it('reads what the studio makes', async () => {
    const archive = await zipBlob(
      new Map([
        ['config.json', new Blob(['{}'])],
        ['onnx/model.onnx', new Blob([new Uint8Array(70_000).fill(7)])],
      ]),
      'stories-pruned-20-f16',
    );
    const files = await filesOfZip(archive, 'a.zip');
    expect(files.map(({ path }) => path)).toEqual([
      'stories-pruned-20-f16/config.json',
      'stories-pruned-20-f16/onnx/model.onnx',
    ]);
    expect(await files[0]?.blob.text()).toBe('{}');
    expect(new Uint8Array((await files[1]?.blob.arrayBuffer()) ?? new ArrayBuffer())).toEqual(
      new Uint8Array(70_000).fill(7),
    );
  });

  it('reads what other programs pack, folders and comments aside', async () => {
    const packed = zipSync({
      model: {
        'config.json': [bytes('{"a": 1}'.repeat(100)), { level: 9 }],
        'é.txt': [bytes('x'), { level: 0, comment: 'c' }],
      },
    });
    expect(await texts(new Blob([packed]))).toEqual({
      'model/config.json': '{"a": 1}'.repeat(100),
      'model/é.txt': 'x',
    });
  });

  it('refuses what is cut off or damaged, and nothing else than with a sentence', async () => {
    const whole = new Uint8Array(zipSync({ 'a.txt': [bytes('hello'), { level: 0 }] }));
    await expect(filesOfZip(new Blob([whole.slice(0, -5)]), 'a.zip')).rejects.toBeInstanceOf(FileFormatError);
    await expect(filesOfZip(new Blob(['not a zip']), 'a.zip')).rejects.toThrow(/no whole zip archive/);
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 1), fc.nat(255), async (at, value) => {
        const damaged = whole.with(at, value);
        await filesOfZip(new Blob([damaged]), 'a.zip').catch((error: unknown) =>
          expect(error).toBeInstanceOf(EspalierError),
        );
      }),
    );
  });
});
