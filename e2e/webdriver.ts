import { spawn } from 'node:child_process';
import { createServer } from 'node:net';

/** A browser by the WebDriver protocol (W3C), as far as the tests need it. */
export interface DrivenPage {
  goto(url: string): Promise<void>;
  /** Runs the body of a function in the page and returns what it returns, or what its promise gives. */
  evaluate<Value>(body: string, ...values: readonly unknown[]): Promise<Value>;
  screenshot(): Promise<Buffer>;
  close(): Promise<void>;
}

/** Runs `body` in the page: the last argument of a script is the function that takes the answer. */
const ASYNC = (body: string) => `
  const done = arguments[arguments.length - 1];
  Promise.resolve((async (...values) => { ${body} })(...Array.prototype.slice.call(arguments, 0, -1)))
    .then((value) => done({ value }), (error) => done({ error: String(error) }));
`;

/** Milliseconds for a script to answer. */
const LONGEST_SCRIPT = 60_000;

/** Starts a WebDriver server such as WebKitWebDriver with its browser, on a display of its own where there is none. Throws what the server says. */
export async function startWebDriver(program: string): Promise<DrivenPage> {
  const display = (process.env.DISPLAY ?? process.env.WAYLAND_DISPLAY) ? undefined : await startDisplay();
  const port = await freePort();
  const server = spawn(program, [`--port=${port}`, '--host=127.0.0.1'], {
    stdio: 'ignore',
    env: { ...process.env, ...(display && { DISPLAY: display.name }) },
  });
  const ask = async (method: string, path: string, body?: object): Promise<unknown> => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      ...(body && { body: JSON.stringify(body) }),
    });
    const { value } = (await response.json()) as { readonly value: unknown };
    if (!response.ok) throw new Error(`${method} ${path}: ${JSON.stringify(value)}`);
    return value;
  };
  const end = () => {
    server.kill();
    display?.end();
  };
  try {
    await answering(() => ask('GET', '/status'));
    const { sessionId } = (await ask('POST', '/session', { capabilities: { alwaysMatch: {} } })) as {
      readonly sessionId: string;
    };
    const session = `/session/${sessionId}`;
    // A script that a page leaves behind by loading anew never answers, and would be waited for as long.
    await ask('POST', `${session}/timeouts`, { script: LONGEST_SCRIPT, pageLoad: 120_000 });
    return {
      goto: async (url) => void (await ask('POST', `${session}/url`, { url })),
      async evaluate<Value>(body: string, ...values: readonly unknown[]) {
        const script = { script: ASYNC(body), args: values };
        const answer = (await ask('POST', `${session}/execute/async`, script)) as { value: Value; error?: string };
        if (answer.error !== undefined) throw new Error(answer.error);
        return answer.value;
      },
      screenshot: async () => Buffer.from((await ask('GET', `${session}/screenshot`)) as string, 'base64'),
      async close() {
        await ask('DELETE', session).catch(() => undefined);
        end();
      },
    };
  } catch (error) {
    end();
    throw error;
  }
}

/** A display in memory. */
async function startDisplay(): Promise<{ readonly name: string; end(): void }> {
  const server = spawn('Xvfb', ['-displayfd', '3', '-screen', '0', '1440x900x24', '-nolisten', 'tcp'], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
  });
  const number = await new Promise<string>((resolve, reject) => {
    server.on('error', reject);
    server.on('exit', (code) => reject(new Error(`Xvfb ended with ${code} before there was a display.`)));
    server.stdio[3]?.once('data', (data) => resolve(String(data).trim()));
  });
  return { name: `:${number}`, end: () => void server.kill() };
}

async function answering(ask: () => Promise<unknown>): Promise<void> {
  for (let waited = 0; ; waited += 100) {
    try {
      await ask();
      return;
    } catch (error) {
      if (waited > 30_000) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() =>
        address && typeof address === 'object' ? resolve(address.port) : reject(new Error('No port is free.')),
      );
    });
  });
}
