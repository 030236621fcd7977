import { docBefore } from './declarations.mjs';

/** Types that only write down other types: what they stand for can be named by the type that uses them. */
const PLUMBING = new Set(['RecordOf']);

/**
 * Names of types that can be reached from what a module exports, but cannot be named by who imports it.
 * @param {import('./declarations.mjs').Declarations} declarations
 * @param {string} entry
 * @returns {string[]}
 */
export function unnameable(declarations, entry) {
  const exported = declarations.exportsOf(entry);
  const key = (/** @type {{ path: string, name: string }} */ { path, name }) => `${path}#${name}`;
  const named = new Set([...exported.values()].flat().map(key));
  const missing = new Map();
  const queue = [...exported.values()].flat();
  const seen = new Set(queue.map(key));
  for (let next = queue.pop(); next; next = queue.pop()) {
    for (const found of referred(declarations, next)) {
      if (PLUMBING.has(found.name)) continue;
      if (!named.has(key(found))) missing.set(key(found), `${found.name}, by ${next.name}`);
      if (seen.has(key(found))) continue;
      seen.add(key(found));
      queue.push(found);
    }
  }
  return [...missing.values()].sort();
}

/**
 * The declarations of the library that another one refers to.
 * @param {import('./declarations.mjs').Declarations} declarations
 * @param {import('./declarations.mjs').Declaration} declaration
 */
function referred(declarations, { path, node }) {
  /** @type {import('./declarations.mjs').Declaration[]} */
  const found = [];
  /** @type {Set<string>} */
  const parameters = new Set();
  const visit = (/** @type {any} */ part) => {
    if (Array.isArray(part)) return part.forEach(visit);
    if (!part || typeof part !== 'object') return;
    if (part.type === 'TSTypeParameter') parameters.add(part.name.name);
    if (isHidden(part)) return;
    const name =
      part.type === 'TSTypeReference'
        ? part.typeName
        : part.type === 'TSInterfaceHeritage' || part.type === 'TSClassImplements'
          ? part.expression
          : part.type === 'ClassDeclaration'
            ? part.superClass
            : undefined;
    if (name?.type === 'Identifier' && !parameters.has(name.name))
      found.push(...(declarations.resolve(path, name.name) ?? []));
    if (part.type === 'TSImportType' && part.qualifier?.type === 'Identifier')
      found.push(
        ...(declarations.importedInPlace(
          path,
          (part.source ?? part.argument).value ?? part.argument?.literal?.value,
          part.qualifier.name,
        ) ?? []),
      );
    for (const [field, value] of Object.entries(part)) if (field !== 'parent') visit(value);
  };
  visit(node);
  return found;
}

/** Members that nobody outside can use. @param {any} member */
function isHidden(member) {
  return member.accessibility === 'private' || member.key?.type === 'PrivateIdentifier';
}

/**
 * What of a module's exports has no doc comment: declarations, and members of interfaces, classes and object types, at any depth.
 * @param {import('./declarations.mjs').Declarations} declarations
 * @param {string} entry
 * @returns {string[]}
 */
export function undocumented(declarations, entry) {
  /** @type {string[]} */
  const missing = [];
  for (const [name, declared] of declarations.exportsOf(entry)) {
    if (!declared.some(({ doc }) => doc)) missing.push(name);
    for (const { node, source, docs } of declared)
      for (const { path, member } of membersOf(node, name))
        if (!docBefore(source, docs, member.start)) missing.push(path);
  }
  // Overloads are described by the first of them.
  return [...new Set(missing)];
}

const MEMBERS = new Set([
  'TSPropertySignature',
  'TSMethodSignature',
  'PropertyDefinition',
  'MethodDefinition',
  'TSAbstractMethodDefinition',
]);

/** @param {any} node @param {string} path @returns {Generator<{ path: string, member: any }>} */
function* membersOf(node, path) {
  if (Array.isArray(node)) {
    for (const part of node) yield* membersOf(part, path);
    return;
  }
  if (!node || typeof node !== 'object' || isHidden(node)) return;
  // Parameters have the doc comment of their function.
  if (
    node.type === 'TSFunctionType' ||
    node.type === 'TSDeclareFunction' ||
    node.type === 'TSEmptyBodyFunctionExpression'
  )
    return;
  let inner = path;
  if (MEMBERS.has(node.type)) {
    const { key } = node;
    // A class says how it is made.
    if (node.kind === 'constructor') return;
    inner = `${path}.${key.name ?? key.value ?? `[${key.object?.name}.${key.property?.name}]`}`;
    yield { path: inner, member: node };
    if (node.type.includes('Method')) return;
  }
  for (const [field, value] of Object.entries(node)) if (field !== 'parent') yield* membersOf(value, inner);
}
