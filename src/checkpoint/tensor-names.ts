/** The canonical names of the embedding and of the output matrix. */
export const EMBEDDING = 'model.embed_tokens.weight';
export const HEAD = 'lm_head.weight';
