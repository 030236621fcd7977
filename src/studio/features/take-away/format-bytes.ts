import { GGUF_TYPES } from '../../../export/gguf/blocks.ts';
import { groupTable } from '../../../importance/structures/group-table.ts';
import type { Scores } from '../../../importance/sums/scores.ts';
import type { Plan } from '../../../plan/plan.ts';
import { withVocabulary } from '../../../plan/search/vocabulary.ts';
import type { GgufType, SafetensorsType } from '../../../worker/engine.ts';

/** Parameters of a plan's model by where they lie. */
interface Parts {
  /** Matrices of the blocks. */
  readonly block: number;
  /** Embedding and output matrix. */
  readonly tables: number;
  readonly vectors: number;
}

function partsOf(scores: Scores, plan: Plan): Parts {
  const { parameters } = groupTable(scores.groups);
  const model = withVocabulary(scores.model, plan.recipe.vocabulary, parameters);
  const other = model.parameters - parameters;
  const { vocab_size: tokens, hidden_size: hidden } = model.config;
  const table = (Number(tokens) || 0) * (Number(hidden) || 0);
  // Tied or not: what is left beside the blocks says it.
  const tables = Math.min(other, other >= 2 * table ? 2 * table : table);
  return { block: plan.parametersAfter - other, tables, vectors: other - tables };
}

/** Bytes of the weights of a plan's GGUF file: within a thousandth of the file, which has its tokenizer beside them. */
export function ggufBytes(scores: Scores, plan: Plan, type: GgufType): number {
  const { block, tables, vectors } = partsOf(scores, plan);
  const perValue = (each: GgufType) => GGUF_TYPES[each].bytes / GGUF_TYPES[each].elements;
  // As src/export/gguf/model.ts stores them.
  const ofTables = type.startsWith('Q4') ? 'Q8_0' : type;
  return block * perValue(type) + tables * perValue(ofTables) + vectors * perValue('F32');
}

/** Bytes of the weights of a plan's safetensors file. */
export function safetensorsBytes(scores: Scores, plan: Plan, type: SafetensorsType): number {
  const { block, tables, vectors } = partsOf(scores, plan);
  return (block + tables + vectors) * (type === 'float32' ? 4 : 2);
}

/** Whether all layers that are left have the same widths: then programs load the model as any other of its family. */
export function isPlainPlan({ layers }: Pick<Plan, 'layers'>): boolean {
  const widths = layers
    .filter(({ attention, mlp }) => attention.length + mlp.length > 0)
    .map(({ attention, mlp }) => `${attention.length} ${mlp.length}`);
  return new Set(widths).size <= 1;
}
