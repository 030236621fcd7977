import { Float, Namespace, TemplateError, Tuple, typeName, type Value } from './values.ts';

/** Python's `str()`, which is also what `{{ value }}` prints. */
export function str(value: Value): string {
  if (typeof value === 'string') return value;
  return value === undefined ? '' : repr(value);
}

/** Python's `repr()`. */
export function repr(value: Value): string {
  if (value === null) return 'None';
  if (value === undefined) return 'Undefined';
  if (typeof value === 'string') return quoted(value);
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'number') return String(value);
  if (value instanceof Float) return floatText(value.value);
  if (Array.isArray(value)) return `[${value.map(repr).join(', ')}]`;
  if (value instanceof Tuple) return `(${value.items.map(repr).join(', ')}${value.items.length === 1 ? ',' : ''})`;
  if (value instanceof Map) return `{${[...value].map(([key, item]) => `${repr(key)}: ${repr(item)}`).join(', ')}}`;
  return value instanceof Namespace ? `<Namespace ${repr(new Map(value.fields))}>` : '<function>';
}

function quoted(value: string): string {
  const quote = value.includes("'") && !value.includes('"') ? '"' : "'";
  const escaped = value
    .replaceAll('\\', '\\\\')
    .replaceAll(quote, `\\${quote}`)
    .replaceAll('\n', '\\n')
    .replaceAll('\r', '\\r')
    .replaceAll('\t', '\\t')
    .replace(/[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Zl}\p{Zp}]|(?! )\p{Zs}/gu, (character) => {
      const code = character.codePointAt(0) ?? 0;
      if (code < 0x100) return `\\x${code.toString(16).padStart(2, '0')}`;
      return code < 0x10000 ? `\\u${code.toString(16).padStart(4, '0')}` : `\\U${code.toString(16).padStart(8, '0')}`;
    });
  return quote + escaped + quote;
}

/** A float as Python writes it: always with a point or an exponent of two digits. */
export function floatText(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e16)) return value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2');
  return Number.isInteger(value) ? `${Object.is(value, -0) ? '-0' : value}.0` : String(value);
}

export interface JsonOptions {
  readonly ensureAscii: boolean;
  /** What a level is indented by; undefined writes one line. */
  readonly indent: string | undefined;
  readonly separators: readonly [item: string, key: string];
  readonly sortKeys: boolean;
}

/** Python's `json.dumps`. Throws TemplateError for what JSON does not have. */
export function json(value: Value, options: JsonOptions, depth = 0): string {
  if (value === null) return 'null';
  if (typeof value === 'boolean' || typeof value === 'number') return String(value);
  if (typeof value === 'string') return jsonText(value, options.ensureAscii);
  if (value instanceof Float) return floatText(value.value).replace('nan', 'NaN').replace('inf', 'Infinity');
  const [item, key] = options.separators;
  const around = (open: string, parts: readonly string[], close: string): string => {
    if (parts.length === 0) return open + close;
    if (options.indent === undefined) return open + parts.join(item) + close;
    const line = `\n${options.indent.repeat(depth + 1)}`;
    return `${open}${line}${parts.join(item + line)}\n${options.indent.repeat(depth)}${close}`;
  };
  if (Array.isArray(value) || value instanceof Tuple) {
    const items = Array.isArray(value) ? value : value.items;
    return around(
      '[',
      items.map((each) => json(each, options, depth + 1)),
      ']',
    );
  }
  if (value instanceof Map) {
    const entries = [...value].map(([name, each]): [string, Value] => [String(name), each]);
    if (options.sortKeys) entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    return around(
      '{',
      entries.map(([name, each]) => jsonText(name, options.ensureAscii) + key + json(each, options, depth + 1)),
      '}',
    );
  }
  throw new TemplateError(`Object of type ${typeName(value)} is not JSON serializable`);
}

function jsonText(value: string, ensureAscii: boolean): string {
  const written = JSON.stringify(value);
  if (!ensureAscii) return written;
  return written.replace(/[\u007f-\uffff]/g, (unit) =>
    unit === '\u007f' ? unit : `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
