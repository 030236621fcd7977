/**
 * Asks the browser not to clear what this site keeps when space runs low: a model of gigabytes would have to be downloaded again. Browsers decide by
 * themselves or ask the reader; what is refused is kept as well as before. Resolves to whether it is granted.
 */
export async function askToPersist(
  storage: Partial<Pick<StorageManager, 'persist' | 'persisted'>> | undefined = globalThis.navigator?.storage,
): Promise<boolean> {
  try {
    return (await storage?.persisted?.()) === true || (await storage?.persist?.()) === true;
  } catch {
    return false;
  }
}
