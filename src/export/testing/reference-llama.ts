import type { Checkpoint } from '../../checkpoint/checkpoint.ts';

type Matrix = Float64Array[];

/**
 * The logits [positions][vocabulary] of a LLaMA checkpoint for one sequence, in float64 and straight from the definition: an independent
 * check of everything that is compiled. Written with nothing but loops; weights are read by their Hugging Face names.
 * `observe` sees the rows that enter each output projection, by the projection's name ('model.layers.0.mlp.down_proj').
 */
export async function referenceLogits(
  checkpoint: Checkpoint,
  tokenIds: readonly number[],
  observe?: (projection: string, rows: Matrix) => void,
): Promise<Matrix> {
  const config = checkpoint.config as Record<string, number> & {
    espalier?: { layers: { keyValueHeads: number; neurons: number }[] };
  };
  const headDimension = config.head_dim ?? (config.hidden_size as number) / (config.num_attention_heads as number);
  const groupSize = (config.num_attention_heads as number) / (config.num_key_value_heads as number);
  const epsilon = config.rms_norm_eps as number;
  const theta = config.rope_theta as number;
  const maybe = async (name: string) => (checkpoint.tensors.has(name) ? checkpoint.read(name) : undefined);

  const embedding = await checkpoint.read('model.embed_tokens.weight');
  const hiddenSize = config.hidden_size as number;
  const hidden: Matrix = tokenIds.map((id) =>
    Float64Array.from(embedding.subarray(id * hiddenSize, (id + 1) * hiddenSize)),
  );

  for (let layer = 0; layer < (config.num_hidden_layers as number); layer++) {
    const name = (part: string) => `model.layers.${layer}.${part}`;
    const widths = config.espalier?.layers[layer] ?? {
      keyValueHeads: config.num_key_value_heads as number,
      neurons: config.intermediate_size as number,
    };
    if (widths.keyValueHeads > 0) {
      const input = rmsNorm(hidden, await checkpoint.read(name('input_layernorm.weight')), epsilon);
      const query = multiply(input, await checkpoint.read(name('self_attn.q_proj.weight')));
      const key = multiply(input, await checkpoint.read(name('self_attn.k_proj.weight')));
      const value = multiply(input, await checkpoint.read(name('self_attn.v_proj.weight')));
      const context = attend(query, key, value, widths.keyValueHeads * groupSize, groupSize, headDimension, theta);
      observe?.(name('self_attn.o_proj'), context);
      addInto(hidden, multiply(context, await checkpoint.read(name('self_attn.o_proj.weight'))));
    }
    addRow(hidden, await maybe(name('self_attn.o_proj.bias')));
    if (widths.neurons > 0) {
      const input = rmsNorm(hidden, await checkpoint.read(name('post_attention_layernorm.weight')), epsilon);
      const gate = multiply(input, await checkpoint.read(name('mlp.gate_proj.weight')));
      const up = multiply(input, await checkpoint.read(name('mlp.up_proj.weight')));
      const activation = gate.map((row, token) =>
        row.map((x, neuron) => (x / (1 + Math.exp(-x))) * at(up, token, neuron)),
      );
      observe?.(name('mlp.down_proj'), activation);
      addInto(hidden, multiply(activation, await checkpoint.read(name('mlp.down_proj.weight'))));
    }
    addRow(hidden, await maybe(name('mlp.down_proj.bias')));
  }
  const normed = rmsNorm(hidden, await checkpoint.read('model.norm.weight'), epsilon);
  return multiply(
    normed,
    checkpoint.tensors.has('lm_head.weight') ? await checkpoint.read('lm_head.weight') : embedding,
  );
}

const at = (matrix: Matrix, row: number, column: number) => matrix[row]?.[column] ?? Number.NaN;

function rmsNorm(rows: Matrix, weight: Float32Array, epsilon: number): Matrix {
  return rows.map((row) => {
    const meanSquare = row.reduce((sum, x) => sum + x * x, 0) / row.length;
    return row.map((x, index) => (x / Math.sqrt(meanSquare + epsilon)) * (weight[index] as number));
  });
}

/** rows [n, in] times W^T, W [out, in]. */
function multiply(rows: Matrix, weight: Float32Array): Matrix {
  return rows.map((row) => {
    const outputs = weight.length / row.length;
    return Float64Array.from({ length: outputs }, (_, output) =>
      row.reduce((sum, x, input) => sum + x * (weight[output * row.length + input] as number), 0),
    );
  });
}

function attend(
  query: Matrix,
  key: Matrix,
  value: Matrix,
  heads: number,
  groupSize: number,
  dimension: number,
  theta: number,
): Matrix {
  return query.map((row, position) => {
    const context = new Float64Array(heads * dimension);
    for (let head = 0; head < heads; head++) {
      const shared = Math.floor(head / groupSize) * dimension;
      const rotatedQuery = rotate(row.subarray(head * dimension, (head + 1) * dimension), position, theta);
      const scores = key.slice(0, position + 1).map((keyRow, other) => {
        const rotatedKey = rotate(keyRow.subarray(shared, shared + dimension), other, theta);
        return (
          rotatedQuery.reduce((sum, x, index) => sum + x * (rotatedKey[index] as number), 0) / Math.sqrt(dimension)
        );
      });
      const largest = Math.max(...scores);
      const weights = scores.map((score) => Math.exp(score - largest));
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      weights.forEach((weight, other) => {
        for (let index = 0; index < dimension; index++) {
          context[head * dimension + index] =
            (context[head * dimension + index] as number) + (weight / total) * at(value, other, shared + index);
        }
      });
    }
    return context;
  });
}

/** The half-split form: element i is rotated together with element i + dimension / 2. */
function rotate(vector: Float64Array, position: number, theta: number): Float64Array {
  const half = vector.length / 2;
  return vector.map((x, index) => {
    const angle = position * theta ** (-(index % half) / half);
    const partner = index < half ? -(vector[index + half] as number) : (vector[index - half] as number);
    return x * Math.cos(angle) + partner * Math.sin(angle);
  });
}

function addInto(rows: Matrix, delta: Matrix): void {
  rows.forEach((row, token) => {
    row.forEach((x, index) => {
      row[index] = x + at(delta, token, index);
    });
  });
}

function addRow(rows: Matrix, bias: Float32Array | undefined): void {
  if (bias)
    addInto(
      rows,
      rows.map(() => Float64Array.from(bias)),
    );
}
