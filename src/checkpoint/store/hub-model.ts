import { HUB_URL } from '@huggingface/hub';
import { UsageError } from '../../errors.ts';

/** A model of a hub, as a person names it. */
export interface HubModel {
  /** 'org/name' */
  readonly id: string;
  /** A branch, tag or commit; 'main' by default. */
  readonly revision: string;
  /** A weight file of the model, where it was named. */
  readonly file?: string;
  /** The hub's address without a slash at the end. */
  readonly endpoint: string;
}

const PART = '[A-Za-z0-9][\\w.-]{0,95}';
const ID = new RegExp(`^${PART}/${PART}$`);
const REVISION = /^[\w][\w./-]{0,127}$/;

/**
 * Understands `org/name`, `org/name@revision`, and the address of a model's page or of one of its files. `endpoint` is the hub to ask where the text names none.
 * Returns undefined for a text that is neither, and throws UsageError for an address that is not one of a model.
 */
export function parseHubModel(text: string, endpoint: string = HUB_URL): HubModel | undefined {
  const trimmed = text.trim();
  if (/^https?:\/\//i.test(trimmed)) return parseAddress(trimmed);
  const [id = '', revision = 'main', ...rest] = trimmed.split('@');
  if (rest.length > 0 || !isId(id)) return undefined;
  return { id, revision: checkRevision(revision, text), endpoint: endpoint.replace(/\/+$/, '') };
}

function isId(text: string): boolean {
  return ID.test(text) && !text.includes('..') && !text.includes('--');
}

function parseAddress(text: string): HubModel {
  const { origin, pathname } = new URL(text);
  const parts = pathname
    .split('/')
    .filter((part) => part !== '')
    .map(decodeURIComponent);
  const id = parts.slice(0, 2).join('/');
  const [kind, revision = 'main', ...path] = parts.slice(2);
  const isModel = isId(id) && (kind === undefined || kind === 'tree' || kind === 'blob' || kind === 'resolve');
  if (!isModel)
    throw new UsageError(
      `${text} is not the address of a model. Such an address ends in /org/name, perhaps with /tree/revision or /blob/revision/file.gguf.`,
    );
  const file = kind === 'tree' ? '' : path.join('/');
  return { id, revision: checkRevision(revision, text), endpoint: origin, ...(file === '' ? {} : { file }) };
}

function checkRevision(revision: string, text: string): string {
  if (REVISION.test(revision) && !revision.includes('..')) return revision;
  throw new UsageError(`${text} has the revision "${revision}"; a revision is a branch, a tag or a commit.`);
}
