import { UnsupportedError } from '../../../errors.ts';
import type { Graph } from '../../../onnx/graph.ts';
import type { JsonRecord } from '../../files/json.ts';

/** Operators between the output matrix and the logits that change no value. */
const SAME_VALUES = new Set(['Cast', 'Gather', 'Identity', 'Reshape', 'Slice', 'Squeeze', 'Transpose', 'Unsqueeze']);
/** Operators that scale or cap them. */
const OTHER_VALUES = new Set(['Clip', 'Div', 'Max', 'Min', 'Mul', 'Tanh']);
/** Keys of config.json by which the logits of some families are scaled or capped, and those that cap them without a word. */
const STATED = ['final_logit_softcapping', 'logits_scaling', 'logit_scale', 'lm_head_multiplier'];
const BY_DEFAULT = new Set(['gemma2', 'granite', 'granitemoehybrid']);

/** Throws UnsupportedError where a graph scales or caps its logits while config.json, by which they are computed here, says nothing of it. */
export function refuseOtherLogits({ nodes, outputs }: Graph, config: JsonRecord, file: string): void {
  if (BY_DEFAULT.has(String(config.model_type)) || STATED.some((key) => (config[key] ?? 1) !== 1)) return;
  const producers = new Map(nodes.flatMap((node) => node.outputs.map((output) => [output, node] as const)));
  const logits = outputs.find(({ name }) => name === 'logits');
  let node = producers.get(logits?.name ?? '');
  while (node && SAME_VALUES.has(node.operator)) node = producers.get(node.inputs[0] ?? '');
  if (node && OTHER_VALUES.has(node.operator))
    throw new UnsupportedError(
      `${file} changes its logits behind the output matrix (${node.operator}), and config.json says nothing of it: weights alone would make another model. Take the model's safetensors, or the config.json that belongs to the graph.`,
    );
}
