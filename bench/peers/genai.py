"""ONNX Runtime GenAI on the CPU as a peer of bench/decode-peers.bench.ts: opens the exported folder that it is given, with so many
threads, for texts of at most so many tokens, and answers requests on standard input. Needs onnxruntime-genai."""
import json
import sys
import time
from importlib.metadata import version

import onnxruntime_genai as og

folder, threads, length = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
options = {"intra_op_num_threads": threads, "inter_op_num_threads": 1}
config = og.Config(folder)
config.overlay(json.dumps({"model": {"decoder": {"session_options": options}}}))
model = og.Model(config)


def say(line: dict) -> None:
    print(json.dumps(line), flush=True)


say({"name": f"ONNX Runtime GenAI {version('onnxruntime-genai')}"})
for line in sys.stdin:
    request = json.loads(line)
    prompt, count = request["prompt"], request["newTokens"]
    parameters = og.GeneratorParams(model)
    # At least as many tokens as at most: it goes on past the end of a text, as the others do.
    parameters.set_search_options(max_length=length, min_length=length, do_sample=False)
    generator = og.Generator(model, parameters)
    times, tokens = [], []
    started = time.perf_counter()
    generator.append_tokens(prompt)
    while len(tokens) < count:
        generator.generate_next_token()
        tokens.append(int(generator.get_next_tokens()[0]))
        times.append(1000 * (time.perf_counter() - started))
    say({"times": times, "tokens": tokens})
