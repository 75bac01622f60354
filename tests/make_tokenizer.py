"""Make the small tokenizer that comes with flywheel: a byte-level BPE learned from the bundled sample.

    python tests/make_tokenizer.py --sample flywheel/sample/logs --out flywheel/models/tokenizer.json

The same sample gives the same bytes. It knows the special tokens of every template shipped, each as one token, so that a loss
mask can be proved in tokens where the recipe names no tokenizer of a model.
"""

import argparse
import gzip
import json
from collections.abc import Iterator
from pathlib import Path

VOCABULARY = 4096
SPECIAL = (
    "<|im_start|>", "<|im_end|>", "<|endoftext|>", "<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>",
    "<think>", "</think>", "<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eom_id|>",
    "<|eot_id|>", "<|python_tag|>", "<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>", "<s>", "</s>", "[INST]", "[/INST]",
    "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[TOOL_CALLS]", "[TOOL_RESULTS]", "[/TOOL_RESULTS]", "<pad>",
)  # fmt: skip


def texts(sample: Path) -> Iterator[str]:
    """What is said in the sample, file by file and line by line."""
    for path in sorted(sample.glob("*.jsonl.gz")):
        for line in gzip.decompress(path.read_bytes()).splitlines():
            try:
                call = json.loads(line)
                messages = [*call["request"]["messages"], *(c["message"] for c in call["response"]["choices"])]
            except (ValueError, KeyError, TypeError):
                continue
            yield from (m["content"] for m in messages if isinstance(m.get("content"), str))


def main() -> None:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, initial_alphabet=alphabet, special_tokens=list(SPECIAL), show_progress=False
    )
    made.train_from_iterator(sorted(set(texts(given.sample))), trainer)
    given.out.write_text(json.dumps(json.loads(made.to_str()), ensure_ascii=False, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
