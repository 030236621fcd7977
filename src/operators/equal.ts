import { binaryOperator } from './elementwise.ts';

export const equal = binaryOperator({ type: 'Equal', flops: 1, result: 'bool', fold: (a, b) => (a === b ? 1 : 0) });
