import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { allow } from './hub-server.ts';

/** Ways in which the server misbehaves; may be changed while it runs. */
export interface UploadMischief {
  /** Status of every commit. */
  commit?: number | undefined;
  /** Status of every write by the token. */
  rights?: number | undefined;
  /** Cuts uploads of large files. */
  cut?: boolean | undefined;
  /** Called before a large file is taken, and waited for. */
  onUpload?: (() => void | Promise<void>) | undefined;
}

export interface UploadHub {
  readonly url: string;
  readonly mischief: UploadMischief;
  /** Published files by repository and name. */
  readonly repositories: ReadonlyMap<string, { readonly isPrivate: boolean; readonly files: Map<string, Uint8Array> }>;
  close(): Promise<void>;
}

const LARGE = 1000;

/** A model hub that takes uploads as @huggingface/hub sends them: small files inside the commit, large ones (1,000 bytes and more) by LFS before it. */
export async function startUploadHub(token: string): Promise<UploadHub> {
  const mischief: UploadMischief = {};
  const repositories = new Map<string, { isPrivate: boolean; files: Map<string, Uint8Array> }>();
  const objects = new Map<string, Uint8Array>();
  const server = createServer(async (request, response) => {
    if (request.method === 'OPTIONS') return allow(response);
    const json = (value: unknown, status = 200) => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(value));
    };
    const { pathname } = new URL(request.url ?? '/', 'http://host');
    if (pathname.startsWith('/lfs/')) {
      await mischief.onUpload?.();
      if (mischief.cut) return void request.destroy();
      objects.set(pathname.slice('/lfs/'.length), await bodyOf(request));
      return void response.writeHead(200).end();
    }
    if (request.headers.authorization !== `Bearer ${token}`)
      return json({ error: 'Invalid username or password.' }, 401);
    if (mischief.rights !== undefined) return json({ error: 'Forbidden' }, mischief.rights);
    const body = new TextDecoder().decode(await bodyOf(request));
    if (pathname === '/api/repos/create') {
      const { name, organization, private: isPrivate, visibility } = JSON.parse(body) as Record<string, unknown>;
      const id = organization === undefined ? String(name) : `${String(organization)}/${String(name)}`;
      if (repositories.has(id)) return json({ error: 'You already created this model repo' }, 409);
      repositories.set(id, { isPrivate: isPrivate === true || visibility === 'private', files: new Map() });
      return json({ url: `http://host/${id}`, id });
    }
    if (pathname === '/api/repos/delete') {
      const { name, organization } = JSON.parse(body) as Record<string, unknown>;
      repositories.delete(organization === undefined ? String(name) : `${String(organization)}/${String(name)}`);
      return void response.writeHead(200).end();
    }
    if (pathname.includes('/preupload/')) {
      const { files } = JSON.parse(body) as { files: { path: string; size: number }[] };
      return json({ files: files.map(({ path, size }) => ({ path, uploadMode: size >= LARGE ? 'lfs' : 'regular' })) });
    }
    if (pathname.endsWith('.git/info/lfs/objects/batch')) {
      const { objects: wanted } = JSON.parse(body) as { objects: { oid: string; size: number }[] };
      const upload = (oid: string) => ({ href: `http://${request.headers.host}/lfs/${oid}` });
      return json({
        transfer: 'basic',
        objects: wanted.map(({ oid, size }) => ({ oid, size, actions: { upload: upload(oid) } })),
      });
    }
    const repository = repositories.get(/^\/api\/models\/(.+)\/commit\//.exec(pathname)?.[1] ?? '');
    if (!repository) return json({ error: 'Repository not found' }, 404);
    if (mischief.commit !== undefined) return json({ error: 'mischief' }, mischief.commit);
    for (const line of body.split('\n')) {
      const { key, value } = JSON.parse(line) as { key: string; value: Record<string, string> };
      if (key === 'lfsFile') repository.files.set(value.path ?? '', objects.get(value.oid ?? '') ?? new Uint8Array());
      if (key === 'file') repository.files.set(value.path ?? '', Buffer.from(value.content ?? '', 'base64'));
    }
    return json({ commitOid: createHash('sha1').update(body).digest('hex'), commitUrl: 'http://host/commit' });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    mischief,
    repositories,
    close: () =>
      new Promise((done) => {
        server.closeAllConnections();
        server.close(() => done());
      }),
  };
}

async function bodyOf(request: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks);
}
