import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { ISOLATION_HEADERS, STUDIO_HEADERS } from './security-headers.ts';

const fieldsOf = (text: string, pattern: RegExp) =>
  Object.fromEntries([...text.matchAll(pattern)].map(([, name = '', value = '']) => [name, value]));

it('is what the recipe for nginx sends', () => {
  const sent = fieldsOf(readFileSync('deploy/nginx/studio.conf', 'utf8'), /add_header (\S+) "([^"]+)" always;/g);
  expect(sent).toEqual({ ...STUDIO_HEADERS, 'Cache-Control': 'no-cache' });
});

it('isolates a Hugging Face Space, whose files the frame of another site may show', () => {
  const asked = fieldsOf(
    readFileSync('deploy/huggingface-space/README.md', 'utf8'),
    /^ {2}(cross-origin-[\w-]+): (.+)$/gm,
  );
  for (const name of ['Cross-Origin-Opener-Policy', 'Cross-Origin-Embedder-Policy'])
    expect(asked[name.toLowerCase()]).toBe(ISOLATION_HEADERS[name]);
});
