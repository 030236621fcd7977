import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { type Lap, lapOf } from '../decode-lap.ts';

/** A lap of a peer, with the greedy tokens that it chose. */
export interface PeerLap extends Lap {
  readonly tokens: readonly number[];
}

/** Another program that decodes, in a process of its own, lap by lap when it is asked: it may end without harm to the others. */
export interface Peer extends Disposable {
  /** What it calls itself, with its version. */
  readonly name: string;
  lap(prompt: readonly number[], newTokens: number): Promise<PeerLap>;
}

/** What a peer answers: first who it is, then for every request its tokens and the milliseconds from the request's start to each; or what went wrong. */
export type PeerAnswer =
  | { readonly name: string }
  | { readonly times: readonly number[]; readonly tokens: readonly number[] }
  | { readonly error: string };

/**
 * Starts a peer, which says who it is when its model is loaded. It reads lines {"prompt": [ids], "newTokens": n} and answers each with a line; what is not JSON is ignored.
 * Rejects with its last words where it ends instead.
 */
export async function startPeer(
  command: string,
  words: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Peer> {
  const child = spawn(command, words, { env: { ...process.env, ...environment } });
  const answers = answersOf(child);
  const first = await answers();
  if (!('name' in first)) throw new Error(`${command} began with a lap, not with its name.`);
  return {
    name: first.name,
    lap: async (prompt, newTokens) => {
      child.stdin.write(`${JSON.stringify({ prompt, newTokens })}\n`);
      const answer = await answers();
      if ('name' in answer) throw new Error(`${first.name} said its name instead of a lap.`);
      return { ...lapOf(0, answer.times), tokens: answer.tokens };
    },
    [Symbol.dispose]: () => {
      child.kill();
    },
  };
}

/** The next line of a child's that is an answer. */
function answersOf(child: ChildProcessWithoutNullStreams): () => Promise<Exclude<PeerAnswer, { error: string }>> {
  let words = '';
  child.stderr.on('data', (data) => {
    words = `${words}${data}`.slice(-1000);
  });
  const ended = new Promise<never>((_, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) =>
      reject(new Error(`${child.spawnfile} ended (${signal ?? code}): ${words.trim() || 'no words'}`)),
    );
  });
  // It may end after its last answer, when nobody waits for one.
  ended.catch(() => undefined);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => {
    for (;;) {
      const { value, done } = await lines.next();
      if (done) return ended;
      if (!value.startsWith('{')) continue;
      const line = JSON.parse(value) as PeerAnswer;
      if ('error' in line) throw new Error(line.error);
      return line;
    }
  };
  return () => Promise.race([next(), ended]);
}
