import { isRecord } from '../../../checkpoint/files/json.ts';
import { FileFormatError } from '../../../errors.ts';

/** A model that was measured where the page was made. */
export interface ShippedFigures {
  readonly perplexity: number;
  readonly standardError: number;
  readonly parameters: number;
  /** Of graph and weights of its export in the curve's number format. */
  readonly bytes: number;
  /** Mean KL divergence from the dense model in nats a token, where it was measured. */
  readonly klDivergence?: number;
}

export interface ShippedPoint extends ShippedFigures {
  /** Share of prunable weights that was asked for, and that was removed. */
  readonly ratio: number;
  readonly removed: number;
}

/** What is shipped with an embedded model, to be shown until the reader's own measurements replace it: curves of several methods, and texts. */
export interface ShippedCurve {
  readonly model: { readonly name: string; readonly sha256: string };
  /** Who measured: Espalier's version, and the backend. */
  readonly engine: { readonly version: string; readonly backend: string };
  /** 'YYYY-MM-DD'. */
  readonly date: string;
  readonly text: {
    readonly source: string;
    readonly sha256: string;
    readonly windows: number;
    readonly length: number;
  };
  readonly dtype: string;
  readonly dense: ShippedFigures;
  /** The first is the page's own recipe. */
  readonly methods: readonly { readonly name: string; readonly points: readonly ShippedPoint[] }[];
  /** What the models of the first method write, most probable token by token; ratio 0 is the dense model. */
  readonly samples: {
    readonly prompt: string;
    readonly newTokens: number;
    readonly texts: readonly { readonly ratio: number; readonly text: string }[];
  };
}

const FILE = 'curve.json';
const FORMAT = 'espalier-curve/1';

/** Checks parsed JSON of a shipped curve. Throws FileFormatError naming the field, the value and what it must be. */
export function parseShippedCurve(value: unknown): ShippedCurve {
  const root = recordAt(value, 'it');
  if (root.format !== FORMAT) refuse('format', root.format, `"${FORMAT}"`);
  const [model, engine, text, samples] = (['model', 'engine', 'text', 'samples'] as const).map((name) =>
    recordAt(root[name], name),
  ) as [Fields, Fields, Fields, Fields];
  return {
    model: { name: textAt(model, 'name'), sha256: textAt(model, 'sha256') },
    engine: { version: textAt(engine, 'version'), backend: textAt(engine, 'backend') },
    date: textAt(root, 'date'),
    text: {
      ...{ source: textAt(text, 'source'), sha256: textAt(text, 'sha256') },
      ...{ windows: numberAt(text, 'windows'), length: numberAt(text, 'length') },
    },
    dtype: textAt(root, 'dtype'),
    dense: figuresAt(recordAt(root.dense, 'dense')),
    methods: listAt(root, 'methods', (method) => ({
      name: textAt(method, 'name'),
      points: listAt(method, 'points', (point) => ({
        ...{ ratio: numberAt(point, 'ratio'), removed: numberAt(point, 'removed'), ...figuresAt(point) },
      })).sort((a, b) => a.ratio - b.ratio),
    })),
    samples: {
      ...{ prompt: textAt(samples, 'prompt'), newTokens: numberAt(samples, 'newTokens') },
      texts: listAt(samples, 'texts', (sample) => ({ ratio: numberAt(sample, 'ratio'), text: textAt(sample, 'text') })),
    },
  };
}

/** The text that was written nearest to a ratio. */
export function shippedSample(
  { samples }: ShippedCurve,
  ratio: number,
): { readonly ratio: number; readonly text: string } | undefined {
  return samples.texts.toSorted((a, b) => Math.abs(a.ratio - ratio) - Math.abs(b.ratio - ratio))[0];
}

/** Where the figures are from, in a line: 'Measured by us with Espalier 0.1.0 on cpu, 2026-11-29: 64 × 128 tokens of evaluation.txt'. */
export function shippedFrom({ engine, date, text }: ShippedCurve): string {
  return `Measured by us with Espalier ${engine.version} on ${engine.backend}, ${date}: ${text.windows} × ${text.length} tokens of ${text.source}`;
}

type Fields = Readonly<Record<string, unknown>>;

function figuresAt(fields: Fields): ShippedFigures {
  return {
    ...{ perplexity: numberAt(fields, 'perplexity'), standardError: numberAt(fields, 'standardError') },
    ...{ parameters: numberAt(fields, 'parameters'), bytes: numberAt(fields, 'bytes') },
    ...(fields.klDivergence !== undefined && { klDivergence: numberAt(fields, 'klDivergence') }),
  };
}

function recordAt(value: unknown, name: string): Fields {
  return isRecord(value) ? value : refuse(name, value, 'an object');
}

function listAt<Item>(fields: Fields, name: string, read: (item: Fields) => Item): Item[] {
  const value = fields[name];
  if (!Array.isArray(value)) return refuse(name, value, 'a list');
  return value.map((item) => read(recordAt(item, name)));
}

/** Numbers of counts, shares and losses: none of them is below zero. */
function numberAt(fields: Fields, name: string): number {
  const value = fields[name];
  return typeof value === 'number' && Number.isFinite(value) && value >= 0
    ? value
    : refuse(name, value, 'a number, 0 or more');
}

function textAt(fields: Fields, name: string): string {
  const value = fields[name];
  return typeof value === 'string' ? value : refuse(name, value, 'text');
}

function refuse(name: string, value: unknown, expected: string): never {
  throw new FileFormatError(
    `${FILE}: ${name} is ${JSON.stringify(value)?.slice(0, 80) ?? 'missing'}; it must be ${expected}. Make the file again with scripts/shipped-curve.mjs.`,
  );
}
