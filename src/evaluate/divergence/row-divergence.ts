/** KL(p || q) of two rows of logits that are on the host, in nats, in float64: what `divergenceGraph` gives for rows on a device. */
export function rowDivergence(expected: Float32Array, found: Float32Array): number {
  const [p, q] = [logSum(expected), logSum(found)];
  let sum = 0;
  for (let token = 0; token < expected.length; token++) {
    const logProbability = (expected[token] as number) - p;
    sum += Math.exp(logProbability) * (logProbability - ((found[token] as number) - q));
  }
  return sum;
}

function logSum(logits: Float32Array): number {
  let largest = Number.NEGATIVE_INFINITY;
  for (const logit of logits) largest = Math.max(largest, logit);
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - largest);
  return largest + Math.log(sum);
}
