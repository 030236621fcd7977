/** Tokens of models that are being opened, by name. They are in memory for that time only: not in the state, which outlives a reload. */
const tokens = new Map<string, string>();

/** Lends a token to the next opening of a model of a hub. An empty one is none. */
export function lendHubToken(name: string, token: string): void {
  if (token === '') tokens.delete(name);
  else tokens.set(name, token);
}

/** The token that was lent for a model, which is forgotten with that. */
export function takeHubToken(name: string): string | undefined {
  const token = tokens.get(name);
  tokens.delete(name);
  return token;
}
