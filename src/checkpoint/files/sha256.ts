import { createSHA256 } from 'hash-wasm';
import { throwIfCancelled } from '../../errors.ts';
import type { ByteSource } from '../checkpoint.ts';

const CHUNK = 1 << 20;

/** SHA-256 (hex) of all bytes of a source, one chunk in memory at a time. WebCrypto has no streaming digest; this one is the same in Node and in browsers. */
export async function sha256OfSource(source: ByteSource, signal?: AbortSignal): Promise<string> {
  if (source.sha256) return source.sha256(signal);
  const hash = await createSHA256();
  hash.init();
  for (let start = 0; start < source.byteLength; start += CHUNK) {
    throwIfCancelled(signal);
    hash.update(await source.read(start, Math.min(start + CHUNK, source.byteLength)));
  }
  return hash.digest('hex');
}

/** SHA-256 (hex) of bytes in memory. */
export async function sha256OfBytes(bytes: Uint8Array): Promise<string> {
  const hash = await createSHA256();
  return hash.init().update(bytes).digest('hex');
}

/** SHA-256 (hex) of a text's UTF-8 bytes. */
export function sha256OfText(text: string): Promise<string> {
  return sha256OfBytes(new TextEncoder().encode(text));
}
