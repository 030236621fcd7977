"""Trains the model: Muon and AdamW, warm-up, stable and decaying learning rate by wall time or by steps, exact resume."""

import argparse
import json
import math
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from corpus import END_OF_TEXT, clean, read_documents, rename
from evaluate import validation_loss
from model import Llama, Shape
from muon import Muon


class Stream:
    """An endless stream of tokens: every epoch the documents in a new order, each after an end-of-text token."""

    def __init__(self, documents: list[str], encode: Callable[[list[str]], list[list[int]]], rename_share: float, seed: int) -> None:
        self.documents, self.encode, self.rename_share, self.seed = documents, encode, rename_share, seed
        self.epoch = -1
        self.restore({"epoch": 0, "position": 0})

    def restore(self, state: dict[str, int]) -> None:
        """Continues at a position that `state` returned."""
        if state["epoch"] != self.epoch:
            source = random.Random(f"{self.seed}/{state['epoch']}")
            documents = source.sample(self.documents, len(self.documents))
            documents = [rename(text, source) if source.random() < self.rename_share else text for text in documents]
            self.tokens = np.concatenate([np.asarray(ids, dtype=np.int32) for ids in self.encode(documents)])
        self.epoch, self.position = state["epoch"], state["position"]

    def state(self) -> dict[str, int]:
        return {"epoch": self.epoch, "position": self.position}

    def take(self, rows: int, length: int) -> np.ndarray:
        """Returns [rows, length + 1] token ids, each row overlapping the next by the one token that is only a target."""
        windows = []
        for _ in range(rows):
            if self.position + length + 1 > len(self.tokens):
                self.restore({"epoch": self.epoch + 1, "position": 0})
            windows.append(self.tokens[self.position : self.position + length + 1])
            self.position += length
        return np.stack(windows).reshape(rows, length + 1)


def progress(arguments: argparse.Namespace, started: float, step: int) -> tuple[float, float]:
    """Returns the shares of the whole run and of its decay phase that are over, each from 0 to 1."""
    if arguments.steps:
        done, total, decay = step, arguments.steps, arguments.decay_steps
    else:
        done, total, decay = (time.time() - started) / 60, arguments.minutes, arguments.decay_minutes
    return min(1.0, done / total), min(1.0, max(0.0, (done - (total - decay)) / decay))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stories", type=Path, nargs="+", required=True, help="TinyStories training files")
    parser.add_argument("--books", type=Path, nargs="+", required=True, help="book files")
    parser.add_argument("--validation", type=Path, required=True, help="TinyStories validation file")
    parser.add_argument("--tokenizer", type=Path, required=True, help="tokenizer.json")
    parser.add_argument("--output", type=Path, required=True, help="folder for checkpoints and log.jsonl; a run there is resumed")
    parser.add_argument("--minutes", type=float, default=90, help="length of the run in wall time since its first start")
    parser.add_argument("--decay-minutes", type=float, default=40)
    parser.add_argument("--steps", type=int, default=0, help="length of the run in steps, instead of minutes")
    parser.add_argument("--decay-steps", type=int, default=0)
    parser.add_argument("--warmup-steps", type=int, default=60)
    parser.add_argument("--batch-tokens", type=int, default=6144)
    parser.add_argument("--micro-batch-tokens", type=int, default=1024, help="tokens that a worker takes at once; divides the batch")
    parser.add_argument("--window", type=int, default=256, help="tokens in a row; shorter rows than the context cost less")
    parser.add_argument("--long-from", type=float, default=2.0, help="share of the decay after which rows have the whole context; above 1: never")
    parser.add_argument("--story-share", type=float, nargs=2, default=(0.6, 0.85), help="share of stories before and in the decay")
    parser.add_argument("--rename-share", type=float, default=0.5, help="share of stories whose characters are renamed")
    parser.add_argument("--matrix-rate", type=float, default=0.02, help="Muon's learning rate")
    parser.add_argument("--rate", type=float, default=0.003, help="AdamW's learning rate (embedding and norms)")
    parser.add_argument("--weight-decay", type=float, default=0.1)
    parser.add_argument("--averaging", type=float, default=0.99, help="decay of the average of the weights, per step")
    parser.add_argument("--evaluate-every", type=int, default=200)
    parser.add_argument("--save-every", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2, help="workers of one thread each")
    parser.add_argument("--compile", action=argparse.BooleanOptionalAction, default=True)
    arguments = parser.parse_args()

    torch.set_num_threads(1)
    torch.manual_seed(arguments.seed)
    arguments.output.mkdir(parents=True, exist_ok=True)

    tokenizer = Tokenizer.from_file(str(arguments.tokenizer))
    end = tokenizer.token_to_id(END_OF_TEXT)
    encode = lambda texts: [[end, *encoding.ids] for encoding in tokenizer.encode_batch(texts)]
    stories = Stream(read_documents(arguments.stories), encode, arguments.rename_share, arguments.seed)
    books = Stream(read_documents(arguments.books), encode, 0.0, arguments.seed)
    validation = tokenizer.encode(clean(arguments.validation.read_text(encoding="utf-8"))).ids

    shape = Shape(vocabulary=tokenizer.get_vocab_size())
    model = Llama(shape)
    average = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    matrices = [weight for name, weight in model.named_parameters() if name.endswith("proj.weight")]
    others = [weight for name, weight in model.named_parameters() if not name.endswith("proj.weight")]
    muon = Muon(matrices, lr=arguments.matrix_rate, weight_decay=arguments.weight_decay)
    adam = torch.optim.AdamW(others, lr=arguments.rate, betas=(0.9, 0.95), weight_decay=0.0, fused=True)
    optimisers = ((muon, arguments.matrix_rate), (adam, arguments.rate))
    loss_of = torch.compile(model.loss, dynamic=False) if arguments.compile else model.loss

    weights = list(model.parameters())

    def gradients_of(windows: Tensor) -> tuple[float, tuple[Tensor, ...]]:
        with torch.autocast("cpu", torch.bfloat16):
            loss = loss_of(windows)
        return loss.item(), torch.autograd.grad(loss, weights)

    # Workers of one thread each share a step's micro-batches: on a machine with other work, threads that meet
    # after every operation would all wait for the slowest core.
    workers = ThreadPoolExecutor(arguments.threads)
    gradients_of(torch.zeros(arguments.micro_batch_tokens // arguments.window, arguments.window + 1, dtype=torch.long))

    checkpoint = arguments.output / "checkpoint.pt"
    step, tokens, started, story_debt, best = 0, 0, time.time(), 0.0, math.inf
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(state["model"])
        muon.load_state_dict(state["muon"])
        adam.load_state_dict(state["adam"])
        stories.restore(state["stories"])
        books.restore(state["books"])
        average, step, tokens, started, story_debt = (state[key] for key in ("average", "step", "tokens", "started", "story_debt"))
        best = state.get("best", math.inf)

    def save(name: str) -> None:
        state = {
            "model": model.state_dict(), "muon": muon.state_dict(), "adam": adam.state_dict(), "average": average,
            "stories": stories.state(), "books": books.state(),
            "step": step, "tokens": tokens, "started": started, "story_debt": story_debt, "best": best,
        }
        temporary = arguments.output / f"{name}.new"
        torch.save(state, temporary)
        temporary.replace(arguments.output / name)

    def report(**values: float) -> None:
        line = json.dumps({"step": step, "minutes": round((time.time() - started) / 60, 2), "tokens": tokens} | values)
        print(line, flush=True)
        with open(arguments.output / "log.jsonl", "a") as log:
            log.write(line + "\n")

    recent: list[float] = []
    while True:
        whole, decay = progress(arguments, started, step)
        if whole >= 1:
            break
        length = arguments.window if decay < arguments.long_from else shape.context
        rows = arguments.batch_tokens // length
        # The share of stories is kept exactly over time: what rounding leaves out is made up in later batches.
        wanted = rows * arguments.story_share[decay > 0] + story_debt
        story_rows = round(wanted)
        story_debt = wanted - story_rows
        parts = [stream.take(count, length) for stream, count in ((stories, story_rows), (books, rows - story_rows)) if count]
        windows = torch.from_numpy(np.concatenate(parts)).long()

        factor = min(1.0, (step + 1) / arguments.warmup_steps) * (1 - decay)
        for optimiser, rate in optimisers:
            for group in optimiser.param_groups:
                group["lr"] = rate * factor
        micro_batches = windows.split(max(1, arguments.micro_batch_tokens // length))
        losses = []
        # Consumed in order, so that the sum does not depend on which worker is faster.
        for loss, gradients in workers.map(gradients_of, micro_batches):
            share = 1 / len(micro_batches)
            losses.append(loss * share)
            for weight, gradient in zip(weights, gradients):
                weight.grad = gradient.mul_(share) if weight.grad is None else weight.grad.add_(gradient, alpha=share)
        torch.nn.utils.clip_grad_norm_(others, 1.0)
        for optimiser, _ in optimisers:
            optimiser.step()
            optimiser.zero_grad()
        step += 1
        tokens += rows * length
        recent.append(sum(losses))
        keep = min(arguments.averaging, step / (step + 10))
        with torch.no_grad():
            for name, weight in model.named_parameters():
                average[name].lerp_(weight, 1 - keep)

        if step % 20 == 0:
            report(loss=round(sum(recent) / len(recent), 4), story_epoch=stories.epoch, book_epoch=books.epoch)
            recent.clear()
        if step % arguments.evaluate_every == 0:
            measured = validation_loss(model, average, validation, windows=100)
            report(validation=round(measured, 4))
            if measured < best:
                best = measured
                save("best.pt")
        if step % arguments.save_every == 0:
            save("checkpoint.pt")
    save("checkpoint.pt")
    report(
        validation=round(validation_loss(model, average, validation, windows=100), 4),
        validation_last=round(validation_loss(model, dict(model.named_parameters()), validation, windows=100), 4),
    )


if __name__ == "__main__":
    main()
