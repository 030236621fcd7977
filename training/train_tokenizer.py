"""Trains the byte-level BPE tokenizer and writes tokenizer.json and tokenizer_config.json."""

import argparse
import json
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from corpus import END_OF_TEXT, read_documents

# Contractions, words with their leading space, single digits, punctuation, line breaks, other spaces.
WORDS = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}| ?[^\s\p{L}\p{N}]+|\s*[\r\n]+|\s+(?!\S)|\s+"


def train(stories: list[str], books: list[str], vocabulary: int) -> Tokenizer:
    """Trains on stories and books in equal amounts; stories are repeated until they weigh as much."""
    repeats = max(1, round(sum(map(len, books)) / sum(map(len, stories))))
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORDS), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator((text for text in stories * repeats + books), trainer)
    return tokenizer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stories", type=Path, nargs="+", required=True, help="TinyStories training files")
    parser.add_argument("--books", type=Path, nargs="+", required=True, help="book files")
    parser.add_argument("--vocabulary", type=int, default=4096)
    parser.add_argument("--context", type=int, default=512, help="longest input that the model will take, in tokens")
    parser.add_argument("--output", type=Path, required=True, help="model folder")
    arguments = parser.parse_args()

    tokenizer = train(read_documents(arguments.stories), read_documents(arguments.books), arguments.vocabulary)
    arguments.output.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(arguments.output / "tokenizer.json"))
    configuration = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": END_OF_TEXT,
        "eos_token": END_OF_TEXT,
        "unk_token": None,
        "add_bos_token": False,
        "add_eos_token": False,
        "add_prefix_space": False,
        "clean_up_tokenization_spaces": False,
        "model_max_length": arguments.context,
    }
    (arguments.output / "tokenizer_config.json").write_text(json.dumps(configuration, indent=2) + "\n")


if __name__ == "__main__":
    main()
