import { unaryOperator } from './elementwise.ts';

export const sign = unaryOperator({ type: 'Sign', flops: 1, fold: Math.sign });
