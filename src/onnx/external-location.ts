/** A location without the './' that some writers put before it. */
export function plainLocation(location: string): string {
  return location.replace(/^(\.\/)+/, '').replaceAll('/./', '/');
}

/**
 * What is wrong with the location of an external data file, or undefined when it is a plain relative path inside the model's folder.
 * ONNX asks for a path relative to the model; anything that could lead outside it is refused: absolute paths, '..', backslashes, colons
 * (drives, schemes, alternate streams), NUL, and '*', with which ONNX Runtime marks raw memory addresses.
 */
export function findLocationProblem(location: string): string | undefined {
  if (location === '') return 'it is empty';
  if (location.startsWith('/')) return 'it is an absolute path';
  const forbidden = /[\0\\:*]/.exec(location)?.[0];
  if (forbidden !== undefined) return `it contains ${JSON.stringify(forbidden)}`;
  const segments = location.split('/');
  if (segments.includes('..')) return "it contains '..'";
  if (segments.includes('') || segments.includes('.')) return 'it has an empty or dot segment';
  return undefined;
}
