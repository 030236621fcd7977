"""Measures perplexity and bits per byte of a model folder on a text, in windows of a fixed length."""

import argparse
import json
import math
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from corpus import clean


@torch.no_grad()
def window_losses(model: nn.Module, tokens: list[int], window: int) -> Tensor:
    """Returns the cross-entropy in nats of every prediction, [windows, window - 1].

    The tokens are cut into windows without overlap; the first token of a window is not predicted and a last, shorter window is left out.
    `model` maps token ids [batch, tokens] to logits [batch, tokens, vocabulary].
    """
    windows = torch.tensor(tokens[: len(tokens) // window * window]).view(-1, window)
    losses = []
    for batch in windows.split(8):
        logits = model(batch)[:, :-1].float()
        losses.append(nn.functional.cross_entropy(logits.transpose(1, 2), batch[:, 1:], reduction="none"))
    return torch.cat(losses)


def validation_loss(model: nn.Module, weights: dict[str, Tensor], tokens: list[int], window: int = 256, windows: int | None = None) -> float:
    """Returns the mean loss with the given weights in the place of the model's own, over the first `windows` windows."""
    used = tokens if windows is None else tokens[: windows * window]
    with torch.autocast("cpu", torch.bfloat16):
        return window_losses(lambda batch: torch.func.functional_call(model, weights, (batch,)), used, window).mean().item()


def main() -> None:
    from transformers import AutoModelForCausalLM

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="model folder in the Hugging Face layout")
    parser.add_argument("--text", type=Path, required=True)
    parser.add_argument("--window", type=int, default=256)
    arguments = parser.parse_args()

    tokenizer = Tokenizer.from_file(str(arguments.model / "tokenizer.json"))
    model = AutoModelForCausalLM.from_pretrained(arguments.model, dtype=torch.float32).eval()
    text = clean(arguments.text.read_text(encoding="utf-8"))
    tokens = tokenizer.encode(text).ids
    losses = window_losses(lambda batch: model(batch).logits, tokens, arguments.window)
    loss = losses.mean().item()
    means = losses.mean(1)
    result = {
        "predictions": losses.numel(),
        "window": arguments.window,
        "loss": loss,
        "standardError": (means.std() / len(means) ** 0.5).item(),
        "perplexity": math.exp(loss),
        "bitsPerByte": loss / math.log(2) * len(tokens) / len(text.encode()),
        "bytesPerToken": len(text.encode()) / len(tokens),
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
