import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { replaceFolder } from './replace-folder.mjs';

describe('a folder that is made anew', () => {
  const parent = mkdtempSync(join(tmpdir(), 'espalier-replace-'));
  const folder = join(parent, 'built');
  const fill = (name) => async (fresh) => {
    mkdirSync(fresh, { recursive: true });
    writeFileSync(join(fresh, name), name);
  };
  beforeEach(() => replaceFolder(folder, fill('old.js')));
  afterAll(() => rmSync(parent, { recursive: true, force: true }));

  it('holds nothing of what it held before', async () => {
    await replaceFolder(folder, fill('new.js'));
    expect(readdirSync(folder)).toEqual(['new.js']);
    expect(readdirSync(parent)).toEqual(['built']);
  });

  it('stays as it is where making it fails', async () => {
    const making = replaceFolder(folder, async (fresh) => {
      await fill('half.js')(fresh);
      throw new Error('no space');
    });
    await expect(making).rejects.toThrow('no space');
    expect(readdirSync(folder)).toEqual(['old.js']);
    expect(readdirSync(parent)).toEqual(['built']);
  });
});
