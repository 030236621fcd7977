"""Writes the weights of a checkpoint, or the mean of several, as a model folder in the Hugging Face layout, in half precision."""

import argparse
import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import save
from tokenizers import Tokenizer

from corpus import END_OF_TEXT
from model import Shape


def configuration(shape: Shape, end: int) -> dict[str, object]:
    """Returns the content of config.json."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": shape.vocabulary,
        "hidden_size": shape.hidden,
        "intermediate_size": shape.intermediate,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.key_value_heads,
        "head_dim": shape.head,
        "hidden_act": "silu",
        "attention_bias": False,
        "mlp_bias": False,
        "rms_norm_eps": shape.norm_epsilon,
        "rope_theta": shape.rope_theta,
        "rope_scaling": None,
        "max_position_embeddings": shape.context,
        "tie_word_embeddings": True,
        "bos_token_id": end,
        "eos_token_id": end,
        "initializer_range": 0.02,
        "use_cache": True,
        "torch_dtype": "float16",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, nargs="+", required=True, help="checkpoints of train.py; the mean of several")
    parser.add_argument("--tokenizer", type=Path, required=True, help="folder of train_tokenizer.py")
    parser.add_argument("--output", type=Path, required=True, help="model folder")
    arguments = parser.parse_args()

    arguments.output.mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer.from_file(str(arguments.tokenizer / "tokenizer.json"))
    end = tokenizer.token_to_id(END_OF_TEXT)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        if arguments.tokenizer.resolve() != arguments.output.resolve():
            shutil.copyfile(arguments.tokenizer / name, arguments.output / name)

    averages = [torch.load(path, weights_only=True)["average"] for path in arguments.checkpoint]
    tensors = {f"model.{name}": torch.stack([weights[name] for weights in averages]).mean(0).half() for name in averages[0]}
    (arguments.output / "model.safetensors").write_bytes(save(tensors, metadata={"format": "pt"}))

    generation = {"bos_token_id": end, "eos_token_id": end, "do_sample": True, "temperature": 0.8, "max_new_tokens": 256}
    for name, content in (
        ("config.json", configuration(Shape(vocabulary=tokenizer.get_vocab_size()), end)),
        ("generation_config.json", generation),
    ):
        (arguments.output / name).write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
