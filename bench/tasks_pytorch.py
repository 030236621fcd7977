"""Zero-shot tasks with PyTorch, one sequence at a time, as a yardstick of predictions and speed. Development only.

    python bench/tasks_pytorch.py MODEL TASKS.jsonl [TASKS.jsonl ...] [--limit 100] [--threads 2] [--batch 1] [--against RESULTS.json]

MODEL is a Hugging Face folder or a GGUF file. Prompts and tokens are those of lm-evaluation-harness, written here a second time and
independently of src/evaluate. With --against, the JSON of `espalier evaluate --tasks ... --output RESULTS.json` is compared item by
item. --batch sorts sequences by length and pads them, as the harness does. Needs torch and transformers (and gguf for GGUF files).
"""

import argparse
import json
import pathlib
import re
import sys
import time

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


def load(path: pathlib.Path):
    source = {"gguf_file": path.name} if path.suffix == ".gguf" else {}
    folder = path.parent if source else path
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, **source).eval()
    return model, AutoTokenizer.from_pretrained(folder, **source)


def clean(text):
    return re.sub(r"\[.*?\]", "", text.strip().replace(" [title]", ". ")).replace("  ", " ")


def prompt(task, item):
    """Context and continuations as the harness's task definitions give them."""
    query, choices = item["query"], item["choices"]
    if task in ("arc_easy", "arc_challenge", "piqa", "boolq"):
        query = query.removeprefix("Passage: ") if task == "boolq" else query
        return query.rstrip() + "\nAnswer:", [" " + choice for choice in choices]
    if task == "hellaswag":
        # The second field of a context begins a sentence that the choices end.
        head, tail = re.fullmatch(r"(?s)(?:(.*[.!?][\"')]*\s+))?(.*)", query).groups()
        if head and tail[:1].islower() and not re.search(r"[.!?]", tail):
            query = head + tail.capitalize()
        return clean(query), [" " + clean(choice) for choice in choices]
    if task == "copa":
        return re.sub(r",(?= (because|therefore)$)", "", query), ["  " + choice[0].lower() + choice[1:] for choice in choices]
    return query, [" " + choice for choice in choices]


def encode_pair(tokenizer, context, continuation):
    spaces = len(context) - len(context.rstrip())
    if spaces:
        context, continuation = context[:-spaces], context[-spaces:] + continuation
    whole = tokenizer.encode(context + continuation)
    start = tokenizer.encode(context)
    return start, whole[len(start) :]


@torch.no_grad()
def log_likelihoods(model, requests, batch):
    """Sum of log-probabilities of each continuation. Longest first; padded at the end, where a causal model does not look."""
    longest = model.config.max_position_embeddings
    order = sorted(range(len(requests)), key=lambda index: -sum(map(len, requests[index])))
    results = [0.0] * len(requests)
    for first in range(0, len(order), batch):
        chunk = order[first : first + batch]
        rows = [(sum(requests[index], [])[-(longest + 1) :], len(requests[index][1])) for index in chunk]
        width = max(len(ids) for ids, _ in rows) - 1
        inputs = torch.tensor([ids[:-1] + [0] * (width - len(ids) + 1) for ids, _ in rows])
        # Logits of the last positions only, as many as the longest continuation and the padding need.
        kept = max(width - len(ids) + 1 + count for ids, count in rows)
        logits = model(inputs, logits_to_keep=kept).logits
        for index, row, (ids, count) in zip(chunk, logits, rows):
            end = len(ids) - 1 - (width - kept)
            scored = torch.log_softmax(row[end - count : end].double(), -1)
            results[index] = scored.gather(1, torch.tensor(ids[-count:])[:, None]).sum().item()
    return results


def evaluate(model, tokenizer, path, limit, batch):
    task = path.stem
    items = [json.loads(line) for line in path.read_text().splitlines() if line.strip()][:limit]
    prompts = [prompt(task, item) for item in items]
    started = time.perf_counter()
    requests = [encode_pair(tokenizer, context, continuation) for context, continuations in prompts for continuation in continuations]
    flat = iter(log_likelihoods(model, requests, batch))
    sums = [[next(flat) for _ in continuations] for _, continuations in prompts]
    seconds = time.perf_counter() - started
    # The delimiter, one space, is not part of a choice.
    sizes = [[len(text[1:].encode()) for text in continuations] for _, continuations in prompts]
    best = [row.index(max(row)) for row in sums]
    per_byte = [[value / size for value, size in zip(row, size_row)] for row, size_row in zip(sums, sizes)]
    best_normalized = [row.index(max(row)) for row in per_byte]
    accuracy = sum(choice == item["gold"] for choice, item in zip(best, items)) / len(items)
    normalized = sum(choice == item["gold"] for choice, item in zip(best_normalized, items)) / len(items)
    return {
        "accuracy": accuracy,
        "accuracyNormalized": normalized,
        "items": len(items),
        "seconds": seconds,
        "predictions": best,
        "predictionsNormalized": best_normalized,
        "logLikelihoods": sums,
    }


def difference(ours, theirs, task):
    """How two results differ: largest difference of a log-likelihood, and items with another choice that is no tie within it."""
    found = theirs["logLikelihoods"][task]
    pairs = [(a, b) for item, row in enumerate(ours["logLikelihoods"]) for a, b in zip(row, found[str(item)])]
    largest = max(abs(a - b) for a, b in pairs)
    result = {"largestDifference": largest}
    for key in ("predictions", "predictionsNormalized"):
        other = theirs["results"][task][key]
        result[key] = [item for item, (a, b) in enumerate(zip(ours[key], other)) if a != b]
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("tasks", type=pathlib.Path, nargs="+")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--against", type=pathlib.Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model, tokenizer = load(options.model)
    report = {}
    for path in options.tasks:
        result = evaluate(model, tokenizer, path, options.limit, options.batch)
        if options.against:
            result["differences"] = difference(result, json.loads(options.against.read_text()), path.stem)
        report[path.stem] = {key: value for key, value in result.items() if key != "logLikelihoods"}
        print(path.stem, {key: report[path.stem].get(key) for key in ("accuracy", "seconds", "differences")}, file=sys.stderr)
    print(json.dumps(report))


if __name__ == "__main__":
    main()
