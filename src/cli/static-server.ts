import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import sirv from 'sirv';
import { EspalierError } from '../errors.ts';
import { STUDIO_HEADERS } from './security-headers.ts';

/** A server of the files in one folder, with the studio's security headers. */
export interface StaticServer {
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Serves `folder` on localhost, and only there. Port 0 takes any free port. Reads nothing outside the folder and answers only GET and HEAD.
 * Throws EspalierError when the port is taken.
 */
export async function serveFolder(folder: string, port: number): Promise<StaticServer> {
  // The files are listed once: a request can name nothing else. Ranges, tags and types are sirv's.
  const files = sirv(folder, {
    etag: true,
    dotfiles: false,
    setHeaders: (response) => response.setHeader('Cache-Control', 'no-cache'),
  });
  const server = createServer((request, response) => {
    for (const [name, value] of Object.entries(STUDIO_HEADERS)) response.setHeader(name, value);
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.writeHead(405, { Allow: 'GET, HEAD' }).end();
      return;
    }
    files(request, response, () => {
      response.writeHead(404, { 'Content-Type': 'text/plain; charset=utf-8' }).end('There is no such file.\n');
    });
  });
  await listen(server, port);
  return {
    url: `http://localhost:${(server.address() as AddressInfo).port}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(
        error.code === 'EADDRINUSE'
          ? new EspalierError('port-taken', `Port ${port} is taken by another program. Choose another with --port.`, {
              cause: error,
            })
          : new EspalierError('serve', `The studio cannot be served on port ${port}: ${error.message}`, {
              cause: error,
            }),
      );
    });
    server.listen(port, 'localhost', resolve);
  });
}
