import { MissingError } from '../../errors.ts';
import { decodeScores } from '../../importance/files/score-file.ts';
import type { Scores } from '../../importance/sums/scores.ts';
import { siteFolder } from '../../runtime/site.ts';

/** Where the site serves a file of an embedded model. */
function embeddedUrl(model: string, file: string): string {
  return new URL(`models/${model}/${file}`, siteFolder()).href;
}

/** Fetches a file of an embedded model. Throws MissingError when the server does not have it. */
export async function fetchEmbedded(model: string, file: string, signal?: AbortSignal): Promise<Response> {
  const response = await fetch(embeddedUrl(model, file), signal ? { signal } : {});
  // A development server answers unknown paths with the page itself.
  if (!response.ok || response.headers.get('content-type')?.startsWith('text/html')) {
    throw new MissingError(
      `The server does not have models/${model}/${file} (status ${response.status}). Copy the project's public folder to it whole.`,
    );
  }
  return response;
}

/** The scores that are shipped with an embedded model. */
export async function fetchPrecomputedScores(model: string, signal?: AbortSignal): Promise<Scores> {
  const response = await fetchEmbedded(model, 'scores.safetensors', signal);
  return decodeScores(new Uint8Array(await response.arrayBuffer()), 'scores.safetensors');
}
