import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parseSync } from 'rolldown/experimental';

/**
 * A declaration of the built library: where it stands, what it is called there, and its text.
 * @typedef {{ path: string, name: string, node: any, source: string, start: number, end: number, doc: string | undefined, docs: readonly any[] }} Declaration
 * @typedef {{ local: string } | { path: string, name: string } } Place
 * @typedef {{ path: string, source: string, declarations: Map<string, Declaration[]>, imports: Map<string, { from: string, name: string }>, exports: Map<string, { from?: string, name: string }>, stars: string[] }} Module
 */

/** Reads modules of declarations (.d.ts), each once. */
export class Declarations {
  /** @type {Map<string, Module>} */
  #modules = new Map();

  /**
   * Every declaration that a module exports, by the name under which it does.
   * @param {string} path
   * @returns {Map<string, Declaration[]>}
   */
  exportsOf(path) {
    const module = this.module(path);
    /** @type {Map<string, Declaration[]>} */
    const found = new Map();
    for (const star of module.stars)
      for (const [name, declared] of this.exportsOf(this.#file(path, star))) found.set(name, declared);
    for (const name of module.exports.keys()) {
      const declared = this.#exported(path, name);
      if (declared) found.set(name, declared);
    }
    return found;
  }

  /**
   * What a name stands for in a module: the declarations, or undefined for one of another package or of the language.
   * @param {string} path
   * @param {string} name
   * @returns {Declaration[] | undefined}
   */
  resolve(path, name) {
    const module = this.module(path);
    const own = module.declarations.get(name);
    if (own) return own;
    const imported = module.imports.get(name);
    if (!imported?.from.startsWith('.')) return undefined;
    return this.#exported(this.#file(path, imported.from), imported.name);
  }

  /**
   * @param {string} path
   * @param {string} name
   * @returns {Declaration[] | undefined}
   */
  #exported(path, name) {
    const module = this.module(path);
    const known = module.exports.get(name);
    if (known?.from !== undefined)
      return known.from.startsWith('.') ? this.#exported(this.#file(path, known.from), known.name) : undefined;
    if (known) return this.resolve(path, known.name);
    for (const star of module.stars) {
      const found = this.#exported(this.#file(path, star), name);
      if (found) return found;
    }
    return undefined;
  }

  /**
   * What a name stands for that a type imports in place: `import("./a.ts").Name`.
   * @param {string} path
   * @param {string} from
   * @param {string} name
   */
  importedInPlace(path, from, name) {
    return from.startsWith('.') ? this.#exported(this.#file(path, from), name) : undefined;
  }

  /** @param {string} path @param {string} from */
  #file(path, from) {
    const base = resolve(dirname(path), from).replace(/\.(ts|js)$/, '');
    return existsSync(`${base}.d.ts`) ? `${base}.d.ts` : join(base, 'index.d.ts');
  }

  /**
   * @param {string} path
   * @returns {Module}
   */
  module(path) {
    const known = this.#modules.get(path);
    if (known) return known;
    const source = readFileSync(path, 'utf8');
    const { program, comments } = parseSync(path, source);
    /** @type {Module} */
    const module = { path, source, declarations: new Map(), imports: new Map(), exports: new Map(), stars: [] };
    this.#modules.set(path, module);
    const docs = comments.filter(({ type, value }) => type === 'Block' && value.startsWith('*'));
    for (const statement of program.body) read(module, statement, docs);
    return module;
  }
}

/**
 * The doc comment that ends right before `start`.
 * @param {string} source
 * @param {readonly { start: number, end: number }[]} docs
 * @param {number} start
 */
export function docBefore(source, docs, start) {
  const comment = docs.findLast(({ end }) => end <= start);
  return comment && source.slice(comment.end, start).trim() === ''
    ? source.slice(comment.start, comment.end)
    : undefined;
}

/** @param {Module} module @param {any} statement @param {readonly any[]} docs */
function read(module, statement, docs) {
  const { source, path } = module;
  switch (statement.type) {
    case 'ImportDeclaration':
      for (const { local, imported } of statement.specifiers)
        module.imports.set(local.name, { from: statement.source.value, name: imported?.name ?? '*' });
      return;
    case 'ExportAllDeclaration':
      module.stars.push(statement.source.value);
      return;
    case 'ExportNamedDeclaration': {
      const from = statement.source?.value;
      for (const { local, exported } of statement.specifiers)
        module.exports.set(exported.name, { ...(from !== undefined && { from }), name: local.name });
      if (statement.declaration) declare(statement.declaration, statement, true);
      return;
    }
    default:
      declare(statement, statement, false);
  }

  /** @param {any} node @param {any} outer @param {boolean} isExported */
  function declare(node, outer, isExported) {
    const names =
      node.type === 'VariableDeclaration'
        ? node.declarations.map((/** @type {any} */ { id }) => id.name)
        : node.id
          ? [node.id.name]
          : [];
    for (const name of names) {
      const doc = docBefore(source, docs, outer.start);
      const declaration = { path, name, node, source, start: outer.start, end: outer.end, doc, docs };
      module.declarations.set(name, [...(module.declarations.get(name) ?? []), declaration]);
      if (isExported) module.exports.set(name, { name });
    }
  }
}
