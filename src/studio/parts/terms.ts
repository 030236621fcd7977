import type { Scores } from '../../importance/sums/scores.ts';

/** What words of the page mean, in a sentence or two each. */
export const MEANINGS = {
  prunable:
    'Weights of attention and MLP blocks. Embeddings, norms and the output layer stay whole, so a share of these weights is a smaller share of all parameters.',
  perplexity:
    'How surprised the model is by text that it has not seen: as if it chose between so many equally likely tokens at every step. Lower is better; ×1.1 means a tenth more surprised than the dense model.',
  divergence:
    'How far the pruned model’s predictions are from the dense model’s, in nats a token: 0 where they are the same. It sees changes that perplexity averages away.',
  loss: 'What the training makes small. Dense model: the divergence from what it says on the text, which a small model follows best. Text: how surprised the pruned model is by the text itself.',
  speed:
    'Tokens written per second, pruned against dense, measured in turn on this machine. Where the interval holds ×1, no difference was measured.',
  file: 'Bytes of the weights as they are exported, in the number format that the export has.',
  parameters: 'All numbers of the model, embeddings included.',
  calibration: 'Text that importance is measured on: it decides what the model is pruned for.',
  neuron: 'One row of an MLP: with its gate, up and down weights it stays or goes as a whole.',
  ratio: 'Share of the prunable weights that goes.',
} as const;

/** What a group of attention heads is in this model: 'two query heads with their key/value head'. */
export function groupMeaning(scores: Scores | undefined): string {
  const { num_attention_heads: heads, num_key_value_heads: shared } = scores?.model.config ?? {};
  if (typeof heads !== 'number' || typeof shared !== 'number' || shared === 0)
    return 'attention heads that share keys and values';
  const queries = heads / shared;
  if (queries === 1) return 'one attention head';
  return `${NUMBERS[queries] ?? queries} query heads with their key/value head`;
}

const NUMBERS: Readonly<Record<number, string>> = {
  2: 'two',
  3: 'three',
  4: 'four',
  5: 'five',
  6: 'six',
  7: 'seven',
  8: 'eight',
};
