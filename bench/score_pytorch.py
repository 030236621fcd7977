"""Computes Espalier's gradient metrics with PyTorch, as a yardstick of speed and values. Development only.

    python bench/score_pytorch.py MODEL TOKEN_IDS.json [--threads 2] [--output scores.json]

MODEL is a Hugging Face folder of a LLaMA, or a GGUF file. TOKEN_IDS.json holds equally long windows of token ids.
Needs torch and transformers (and gguf for GGUF files). Prints one JSON document: seconds of a forward pass over the
windows, seconds of scoring, loss, tokens.
"""

import argparse
import json
import pathlib
import time

import torch
from transformers import AutoModelForCausalLM


def load(path: pathlib.Path):
    if path.suffix == ".gguf":
        return AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32)
    return AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)


def members(layer, config):
    """(weight, axis, channels per group) of both structures of a layer: axis 0 are rows, 1 columns."""
    head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    repeat = config.num_attention_heads // config.num_key_value_heads
    attention, mlp = layer.self_attn, layer.mlp
    return {
        "attention": [
            (attention.q_proj.weight, 0, repeat * head),
            (attention.k_proj.weight, 0, head),
            (attention.v_proj.weight, 0, head),
            (attention.o_proj.weight, 1, repeat * head),
        ],
        "mlp": [(mlp.gate_proj.weight, 0, 1), (mlp.up_proj.weight, 0, 1), (mlp.down_proj.weight, 1, 1)],
    }


def fold(matrix, axis, channels):
    """Sums of a matrix per group of channels along an axis."""
    return matrix.sum(1 - axis).view(-1, channels).sum(1)


def window_loss(model, window):
    logits = model(window[None]).logits[0, :-1]
    return torch.nn.functional.cross_entropy(logits, window[1:])


def score(model, windows):
    config = model.config
    layers = [members(layer, config) for layer in model.model.layers]
    weights = [weight for layer in layers for group in layer.values() for weight, _, _ in group]
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    for weight in weights:
        weight.requires_grad_(True)
    first = [torch.zeros_like(weight) for weight in weights]
    second = [torch.zeros_like(weight) for weight in weights]
    sums = {}
    losses = []
    for window in windows:
        loss = window_loss(model, window)
        losses.append(loss.item())
        gradients = torch.autograd.grad(loss, weights)
        with torch.no_grad():
            index = 0
            for number, layer in enumerate(layers):
                for kind, group in layer.items():
                    joint = absolute = 0
                    for member, (weight, axis, channels) in enumerate(group):
                        product = weight * gradients[index]
                        first[index] += product
                        second[index].addcmul_(product, product)
                        signed = fold(product, axis, channels)
                        joint = joint + signed
                        absolute = absolute + fold(product.abs(), axis, channels)
                        entry = sums.setdefault((number, kind, member), [0, 0])
                        entry[0] = entry[0] + signed
                        entry[1] = entry[1] + signed**2
                        index += 1
                    entry = sums.setdefault((number, kind, "joint"), [0, 0, 0])
                    entry[0] = entry[0] + joint**2
                    entry[1] = entry[1] + absolute
                    entry[2] = entry[2] + absolute**2
    return finish(layers, first, second, sums, len(windows)), sum(losses) / len(losses)


@torch.no_grad()
def finish(layers, first, second, sums, count):
    results = []
    index = 0
    for number, layer in enumerate(layers):
        result = {}
        for kind, group in layer.items():
            metrics = {name: 0 for name in ("vector", "vector-second", "element-first", "element-second", "element-mixed")}
            for member, (_, axis, channels) in enumerate(group):
                mean, square = first[index] / count, second[index] / count
                signed, squares = (value / count for value in sums[number, kind, member])
                metrics["vector"] += signed.abs()
                metrics["vector-second"] += (signed - squares / 2).abs()
                metrics["element-first"] += fold(mean.abs(), axis, channels)
                metrics["element-second"] += fold(square, axis, channels)
                metrics["element-mixed"] += fold((mean - square / 2).abs(), axis, channels)
                index += 1
            joint, absolute, squares = sums[number, kind, "joint"]
            deviation = (squares / count - (absolute / count) ** 2).clamp(min=0).sqrt()
            metrics["fisher"] = joint / count / 2
            metrics["stability"] = deviation / (absolute / count)
            result[kind] = {name: values.tolist() for name, values in metrics.items()}
        results.append(result)
    return results


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("token_ids", type=pathlib.Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--output", type=pathlib.Path)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    model = load(arguments.model).eval()
    windows = torch.tensor(json.loads(arguments.token_ids.read_text()))
    with torch.no_grad():
        window_loss(model, windows[0])
        started = time.perf_counter()
        for window in windows:
            window_loss(model, window)
        forward = time.perf_counter() - started
    started = time.perf_counter()
    results, loss = score(model, windows)
    seconds = time.perf_counter() - started
    if arguments.output:
        arguments.output.write_text(json.dumps(results))
    tokens = windows.shape[0] * (windows.shape[1] - 1)
    print(json.dumps({"forwardSeconds": forward, "seconds": seconds, "loss": loss, "tokens": tokens, "threads": arguments.threads}))


if __name__ == "__main__":
    main()
