import { lstat, mkdir, mkdtemp, readdir, readFile, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkWritable, writeWhole } from '../cli/write-file.ts';
import { StorageError, UsageError } from '../errors.ts';
import { diskOutput } from './disk.ts';
import { explainWriting, throughLinks } from './writing.ts';

let root = '';
const at = (name: string) => join(root, name);
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'espalier-writing-'));
});
afterEach(() => rm(root, { recursive: true }));

describe('writing through a link', () => {
  test('writes what the link points to, and the link stays', async () => {
    await mkdir(at('elsewhere'));
    await writeFile(at('elsewhere/scores'), 'old');
    await symlink('elsewhere/scores', at('first'));
    await symlink(at('first'), at('second'));
    await writeWhole(at('second'), 'new');
    expect(await readFile(at('elsewhere/scores'), 'utf8')).toBe('new');
    expect([await readlink(at('first')), await readlink(at('second'))]).toEqual(['elsewhere/scores', at('first')]);
    expect(await readdir(at('elsewhere'))).toEqual(['scores']);
  });

  test('makes what is not there yet', async () => {
    await symlink('new/scores', at('link'));
    await checkWritable(at('link'));
    await writeWhole(at('link'), 'x');
    expect(await readFile(at('new/scores'), 'utf8')).toBe('x');
    expect((await lstat(at('link'))).isSymbolicLink()).toBe(true);
  });

  test('puts a folder where the link points to', async () => {
    await mkdir(at('disk/old'), { recursive: true });
    await writeFile(at('disk/old/espalier.json'), '{}');
    await symlink('disk/old', at('out'));
    const output = await diskOutput(at('out'));
    await output.write('espalier.json', [new TextEncoder().encode('{"new":1}')]);
    await output.publish();
    expect(await readlink(at('out'))).toBe('disk/old');
    expect(await readFile(at('disk/old/espalier.json'), 'utf8')).toBe('{"new":1}');
    expect((await readdir(root)).sort()).toEqual(['disk', 'out']);
    expect(await readdir(at('disk'))).toEqual(['old']);
  });

  test('in a circle is refused', async () => {
    await symlink('b', at('a'));
    await symlink('a', at('b'));
    await expect(throughLinks(at('a'))).rejects.toThrow(StorageError);
    await expect(writeWhole(at('a'), 'x')).rejects.toThrow('a is a link in a circle');
  });
});

test('a device gets the bytes and stays one', async () => {
  await writeWhole('/dev/null', 'x');
  expect((await lstat('/dev/null')).isCharacterDevice()).toBe(true);
  await expect(writeWhole('/dev/full', 'x')).rejects.toThrow(
    '/dev/full cannot be written: the disk is full. Free some space, or name a place on another disk.',
  );
});

test.each([
  ['ENOSPC', 'the disk is full. Free some space'],
  ['EROFS', 'its file system is read-only. Name a place that can be written to'],
  ['EACCES', 'you may not write there. Name another place'],
  ['EDQUOT', 'your share of the disk is used up'],
])('%s is told with what helps', (code, words) => {
  const cause = Object.assign(new Error(code), { code });
  const told = explainWriting(cause, 'out/scores');
  expect(told).toBeInstanceOf(StorageError);
  expect(told).toMatchObject({ cause, message: expect.stringContaining(`out/scores cannot be written: ${words}`) });
});

test('other errors pass as they are', () => {
  const usage = new UsageError('x');
  const other = new TypeError('y');
  expect([explainWriting(usage, 'p'), explainWriting(other, 'p')]).toEqual([usage, other]);
});
