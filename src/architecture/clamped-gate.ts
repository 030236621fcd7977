import type { GraphBuilder } from '../onnx/builder.ts';

/** The gate of gpt-oss. */
export interface ClampedGate {
  readonly limit: number;
  readonly alpha: number;
}

/** (up + 1) * gate sigmoid(alpha gate) of clamped values. `number` gives a scalar of the graph's type. */
export function clampedGate(
  builder: GraphBuilder,
  gate: string,
  up: string,
  { limit, alpha }: ClampedGate,
  number: (value: number) => string,
): string {
  const atMost = (value: string) => {
    const most = number(limit);
    return builder.add('Where', [builder.add('GreaterOrEqual', [value, most]), most, value]);
  };
  const atLeast = (value: string) => {
    const least = number(-limit);
    return builder.add('Where', [builder.add('GreaterOrEqual', [value, least]), value, least]);
  };
  const low = atMost(gate);
  const open = builder.add('Mul', [low, builder.add('Sigmoid', [builder.add('Mul', [low, number(alpha)])])]);
  return builder.add('Mul', [builder.add('Add', [atLeast(atMost(up)), number(1)]), open]);
}
