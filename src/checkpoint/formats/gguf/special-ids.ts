import type { GgufMetadata } from './gguf-metadata.ts';

/** What llama.cpp takes of a SentencePiece vocabulary that does not say. */
const SENTENCE_PIECE: Readonly<Record<string, number>> = { bos: 1, eos: 2, unknown: 0 };

/** The id of a special token by llama.cpp's name for it ('bos', 'eos', 'unknown', 'padding'); undefined where a file has none. */
export function specialId(metadata: GgufMetadata, name: string): number | undefined {
  const isSentencePiece = metadata.string('tokenizer.ggml.model') === 'llama';
  return metadata.number(`tokenizer.ggml.${name}_token_id`) ?? (isSentencePiece ? SENTENCE_PIECE[name] : undefined);
}
