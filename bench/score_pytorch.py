"""Computes Espalier's gradient metrics with PyTorch, as a yardstick of speed and values. Development only.

    python bench/score_pytorch.py MODEL TOKEN_IDS.json [--threads 2] [--output scores.json]

MODEL is a Hugging Face folder of a LLaMA, or a GGUF file. TOKEN_IDS.json holds equally long windows of token ids.
Needs torch and transformers (and gguf for GGUF files). Prints one JSON document: seconds of a forward pass over the
windows, seconds of scoring, seconds of scoring by the metrics without weight gradients, loss, tokens.
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


def fast_score(model, windows, batch=8):
    """The metrics without weight gradients, kronecker and fisher: gradients of activations alone, several windows at once."""
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    modules = [
        [
            (kind, member, axis, channels, linear)
            for kind, group, linears in (
                ("attention", found["attention"], [layer.self_attn.q_proj, layer.self_attn.k_proj, layer.self_attn.v_proj, layer.self_attn.o_proj]),
                ("mlp", found["mlp"], [layer.mlp.gate_proj, layer.mlp.up_proj, layer.mlp.down_proj]),
            )
            for member, ((_, axis, channels), linear) in enumerate(zip(group, linears))
        ]
        for layer, found in ((layer, members(layer, model.config)) for layer in model.model.layers)
    ]
    flat = [linear for layer in modules for *_, linear in layer]
    seen = {}
    hooks = [linear.register_forward_hook(lambda module, inputs, output: seen.__setitem__(module, (inputs[0], output))) for linear in flat]
    energies = {linear: [0, 0] for linear in flat}
    joint = {}
    losses = []
    for start in range(0, len(windows), batch):
        part = windows[start : start + batch]
        embedded = model.get_input_embeddings()(part).requires_grad_(True)
        logits = model(inputs_embeds=embedded).logits[:, :-1]
        each = torch.nn.functional.cross_entropy(logits.transpose(1, 2), part[:, 1:], reduction="none").mean(1)
        losses.extend(each.tolist())
        columns = [linear for layer in modules for _, _, axis, _, linear in layer if axis == 1]
        gradients = torch.autograd.grad(each.sum(), [seen[linear][1] for linear in flat] + [seen[linear][0] for linear in columns])
        outputs = dict(zip(flat, gradients))
        inputs = dict(zip(columns, gradients[len(flat) :]))
        with torch.no_grad():
            for number, layer in enumerate(modules):
                sums = {}
                for kind, _, axis, channels, linear in layer:
                    x, y = seen[linear]
                    energies[linear][0] += (x * x).sum((0, 1))
                    energies[linear][1] += (outputs[linear] ** 2).sum((0, 1))
                    signed = ((y * outputs[linear]) if axis == 0 else (x * inputs[linear])).sum(1)
                    sums[kind] = sums.get(kind, 0) + signed.view(len(part), -1, channels).sum(2)
                for kind, values in sums.items():
                    joint[number, kind] = joint.get((number, kind), 0) + (values**2).sum(0)
        seen.clear()
    for hook in hooks:
        hook.remove()
    count, tokens = windows.shape
    results = []
    with torch.no_grad():
        for number, layer in enumerate(modules):
            result = {kind: {"kronecker": 0, "fisher": (joint[number, kind] / count / 2).tolist()} for kind in ("attention", "mlp")}
            for kind, _, axis, channels, linear in layer:
                entering, leaving = energies[linear]
                weighted = linear.weight**2
                share = weighted @ entering * leaving if axis == 0 else (leaving @ weighted) * entering
                result[kind]["kronecker"] = result[kind]["kronecker"] + share.view(-1, channels).sum(1) / (count**2 * tokens)
            for kind in result:
                result[kind]["kronecker"] = result[kind]["kronecker"].tolist()
            results.append(result)
    return results, sum(losses) / len(losses)


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
    fast_score(model, windows[:8])
    started = time.perf_counter()
    fast, _ = fast_score(model, windows)
    fast_seconds = time.perf_counter() - started
    if arguments.output:
        merged = [{kind: {**one[kind], **two[kind]} for kind in one} for one, two in zip(results, fast)]
        arguments.output.write_text(json.dumps(merged))
    tokens = windows.shape[0] * (windows.shape[1] - 1)
    print(json.dumps({"forwardSeconds": forward, "seconds": seconds, "fastSeconds": fast_seconds, "loss": loss, "tokens": tokens, "threads": arguments.threads}))


if __name__ == "__main__":
    main()
