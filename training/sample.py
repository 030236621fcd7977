"""Lets the model write stories: the shipped calibration and evaluation texts, and the samples of the README."""

import argparse
import re
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM

OPENINGS = ("Once upon a time", "One day", "Once there was", "Once upon a time, there was a", "One sunny day")
LAST_SENTENCE = re.compile(r"(?s).*[.!?][\"']?(?=\s|$)")


def tidy(story: str) -> str:
    """Returns the story up to its last whole sentence, its paragraphs on a line each."""
    whole = LAST_SENTENCE.match(story)
    return re.sub(r"\s*\n\s*", "\n", whole.group(0)).strip() if whole else ""


def write_stories(
    model: torch.nn.Module, tokenizer: Tokenizer, openings: tuple[str, ...], temperature: float, seed: int, longest: int = 400, batch: int = 64
) -> Iterator[str]:
    """Yields stories without end, each begun with one of the openings in turn and at most `longest` new tokens long."""
    torch.manual_seed(seed)
    end = model.config.eos_token_id
    endless = cycle(openings)
    while True:
        prompts = [[end, *tokenizer.encode(opening).ids] for opening in islice(endless, batch)]
        width = max(map(len, prompts))
        ids = torch.tensor([[end] * (width - len(prompt)) + prompt for prompt in prompts])
        mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts])
        written = model.generate(
            ids, attention_mask=mask, do_sample=True, temperature=temperature, top_k=0, top_p=1.0, max_new_tokens=longest, pad_token_id=end
        )
        for row, prompt in zip(written.tolist(), prompts):
            yield tokenizer.decode(row[width - len(prompt) :])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="model folder")
    parser.add_argument("--openings", nargs="+", default=OPENINGS)
    parser.add_argument("--temperature", type=float, default=0.8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kilobytes", type=float, default=0, help="stop after so much text (in units of 1,000 bytes)")
    parser.add_argument("--stories", type=int, default=0, help="stop after so many stories")
    parser.add_argument("--output", type=Path, help="text file; without it, standard output")
    arguments = parser.parse_args()
    if not arguments.kilobytes and not arguments.stories:
        parser.error("give --kilobytes or --stories")

    tokenizer = Tokenizer.from_file(str(arguments.model / "tokenizer.json"))
    model = AutoModelForCausalLM.from_pretrained(arguments.model, dtype=torch.float32).eval()
    stories: list[str] = []
    size = 0
    for story in map(tidy, write_stories(model, tokenizer, tuple(arguments.openings), arguments.temperature, arguments.seed)):
        if story:
            stories.append(story)
            size += len(story.encode()) + 2
        if (arguments.stories and len(stories) >= arguments.stories) or (arguments.kilobytes and size >= 1000 * arguments.kilobytes):
            break
    text = "\n\n".join(stories) + "\n"
    if arguments.output:
        arguments.output.write_text(text, encoding="utf-8")
    else:
        print(text, end="")


if __name__ == "__main__":
    main()
