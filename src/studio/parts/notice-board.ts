/** Which of the places that would show the same sentence shows it: the first that came. */
export interface NoticeBoard {
  /** Puts a sentence up at a place; returns what takes it down. */
  put(sentence: string, place: string): () => void;
  /** Whether another place shows the sentence. */
  isElsewhere(sentence: string, place: string): boolean;
  subscribe(listener: () => void): () => void;
}

/** An error of the engine reaches every panel that asked: seven times the same sentence says no more than one. */
export function createNoticeBoard(): NoticeBoard {
  const places = new Map<string, string[]>();
  const listeners = new Set<() => void>();
  const tell = () => {
    for (const listener of listeners) listener();
  };
  return {
    put(sentence, place) {
      places.set(sentence, [...(places.get(sentence) ?? []), place]);
      tell();
      return () => {
        const left = (places.get(sentence) ?? []).filter((other) => other !== place);
        if (left.length > 0) places.set(sentence, left);
        else places.delete(sentence);
        tell();
      };
    },
    isElsewhere(sentence, place) {
      const first = places.get(sentence)?.[0];
      return first !== undefined && first !== place;
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
