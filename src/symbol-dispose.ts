/**
 * Gives an engine without them (WebKit) the symbols by which resources are released. Every entry imports this first: classes take their methods' names from the symbols when they are
 * evaluated, and a `using` that looks for them later finds the same ones.
 */
for (const name of ['dispose', 'asyncDispose'] as const)
  if (!(name in Symbol)) Object.defineProperty(Symbol, name, { value: Symbol(`Symbol.${name}`) });

export {};
