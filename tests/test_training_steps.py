"""A tiny training of real trainers on real exports: TRL loads the files with its own readers and takes two steps, on the CPU.

Needs the extra `train`; nothing is downloaded: the model is made of its configuration, with random weights, and the tokenizer is
the small one that comes with flywheel.
"""

import math
from pathlib import Path
from typing import Any

import orjson
import pytest

from flywheel.formats.chat_templates import template
from flywheel.formats.tokenizer import shipped
from flywheel.kinds import SetKind
from flywheel.sets.kto import Kto
from flywheel.sets.preference import Preference
from flywheel.sets.sft import Sft
from flywheel.stages.assemble import Inputs, assemble
from flywheel.stages.export import ExportContext, ancestry, release
from flywheel.storage.snapshots import Store
from tests.build import chat
from tests.pools import comparison, comparisons_of, label, labels_of, published, screened_of

pytestmark = [pytest.mark.nightly, pytest.mark.slow]
ROWS = 12
WHY = 'pip install "data-flywheel[train]"'


@pytest.fixture
def trl() -> Any:
    """The library, where it and torch are installed."""
    pytest.importorskip("torch", reason=WHY)
    pytest.importorskip("accelerate", reason=WHY)
    return pytest.importorskip("trl", reason=WHY)


def chats(winners: bool = False) -> list[Any]:
    rows = []
    for i in range(ROWS):
        about = {"conversation_id": f"c{i}", "user": f"u{i}"}
        rows.append(
            chat(
                "system: Be brief.", f"user: Where is order {i}?", f"assistant: Order {i} left.", id=f"r{i:02}", **about
            )
        )
        if winners:
            rows.append(
                chat(
                    "system: Be brief.",
                    f"user: Where is order {i}?",
                    f"assistant: It is order {i}, and it left today.",
                    id=f"w{i:02}",
                    **about,
                )
            )
    return rows


def exported(folder: Path, wanted: SetKind, **said: Any) -> Path:
    """The release of a set."""
    store = Store(folder / "snapshots")
    found = published(store, screened_of(*chats(winners=wanted.use == "preference")), **said)
    candidate = store.publish(assemble(wanted, Inputs(**found), 1, (), b"k" * 32))
    return release(
        wanted, candidate, folder / "exports", ExportContext("test", "0" * 32, (), ancestry(store, candidate))
    ).path


def model_and_tokenizer() -> tuple[Any, Any]:
    """A Llama of 60,000 weights, and the small tokenizer with the template chatml."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    torch.manual_seed(0)
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=shipped().path, eos_token="<|im_end|>", pad_token="<pad>")
    tokenizer.chat_template = template("chatml").source
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
        max_position_embeddings=256, pad_token_id=tokenizer.pad_token_id, eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip
    return LlamaForCausalLM(config), tokenizer


def settings(folder: Path, **more: Any) -> dict[str, Any]:
    plain = {
        "output_dir": str(folder / "out"),
        "max_steps": 2,
        "per_device_train_batch_size": 4,
        "use_cpu": True,
        "bf16": False,
    }
    return (
        plain | {"report_to": "none", "save_strategy": "no", "logging_steps": 1, "seed": 0, "disable_tqdm": True} | more
    )


def trained(trainer: Any) -> list[float]:
    """The losses of the steps taken."""
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert trainer.state.global_step == 2
    assert all(math.isfinite(loss) and loss > 0 for loss in losses)
    return losses


def taught(trainer: Any) -> int:
    """Tokens with a loss in all batches of an epoch."""
    return sum(int((batch["labels"] != -100).sum()) for batch in trainer.get_train_dataloader())


@pytest.mark.parametrize("form", ["trl", "trl_messages"])
def test_row_163_sft_learns_as_many_tokens_as_were_proved(trl: Any, tmp_path: Path, form: str) -> None:
    from datasets import load_dataset

    folder = exported(tmp_path, Sft(name="s", export=(form,), template="chatml", split={"validation": 0.0}))
    manifest = orjson.loads((folder / "manifest.json").read_bytes())
    rows = load_dataset(
        "json", data_files=str(folder / "train.jsonl"), cache_dir=str(tmp_path / "cache"), split="train"
    )
    model, tokenizer = model_and_tokenizer()
    config = trl.SFTConfig(**settings(tmp_path, max_length=256, assistant_only_loss=form == "trl_messages"))
    trainer = trl.SFTTrainer(model=model, args=config, train_dataset=rows, processing_class=tokenizer)
    # After a completion TRL also learns the newline that the template puts behind the end of turn.
    newlines = ROWS if form == "trl" else 0
    assert taught(trainer) == manifest["template"]["mask"]["trained"] + newlines
    assert len(trained(trainer)) == 2


def test_row_163_dpo_takes_two_steps(trl: Any, tmp_path: Path) -> None:
    from datasets import load_dataset

    votes = [comparison("choice", f"w{i:02}", f"r{i:02}") for i in range(ROWS)]
    wanted = Preference(name="p", export=("trl",), template="chatml", split={"validation": 0.0})
    folder = exported(tmp_path, wanted, comparisons=comparisons_of(*votes))
    rows = load_dataset(
        "json", data_files=str(folder / "train.jsonl"), cache_dir=str(tmp_path / "cache"), split="train"
    )
    assert set(rows.column_names) == {"prompt", "chosen", "rejected"}
    model, tokenizer = model_and_tokenizer()
    config = trl.DPOConfig(**settings(tmp_path, max_length=256))
    reference, _ = model_and_tokenizer()
    trainer = trl.DPOTrainer(
        model=model, ref_model=reference, args=config, train_dataset=rows, processing_class=tokenizer
    )
    # Both models are the same at first: a step that has learned nothing yet has the loss ln 2.
    assert trained(trainer)[0] == pytest.approx(math.log(2), abs=1e-3)


def test_row_163_kto_takes_two_steps(trl: Any, tmp_path: Path) -> None:
    from datasets import load_dataset

    kto = pytest.importorskip("trl.experimental.kto", reason="this version of TRL has KTO elsewhere")
    thumbs = [label(f"r{i:02}", thumb=1 if i % 2 else -1, thumbs_up=i % 2, thumbs_down=1 - i % 2) for i in range(ROWS)]
    wanted = Kto(name="k", export=("trl",), template="chatml", split={"validation": 0.0})
    folder = exported(tmp_path, wanted, labels=labels_of(*thumbs))
    rows = load_dataset(
        "json", data_files=str(folder / "train.jsonl"), cache_dir=str(tmp_path / "cache"), split="train"
    )
    assert sorted(rows["label"]) == [False] * (ROWS // 2) + [True] * (ROWS // 2)
    model, tokenizer = model_and_tokenizer()
    config = kto.KTOConfig(**settings(tmp_path, max_length=256))
    reference, _ = model_and_tokenizer()
    trainer = kto.KTOTrainer(
        model=model, ref_model=reference, args=config, train_dataset=rows, processing_class=tokenizer
    )
    assert trained(trainer)[0] == pytest.approx(0.5, abs=1e-2)
