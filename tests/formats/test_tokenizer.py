"""Tokenizers: the small one, and those of models."""

import json
import shutil

import pytest

from flywheel.formats.chat_templates import ENDS, template
from flywheel.formats.tokenizer import TokenizerMissing, shipped, template_beside, tokenizer_of, variables


def folder(tmp_path, config=None, jinja=None):
    shutil.copy(shipped().path, tmp_path / "tokenizer.json")
    if config is not None:
        (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    if jinja is not None:
        (tmp_path / "chat_template.jinja").write_text(jinja)
    return tmp_path


def test_the_small_tokenizer_knows_every_end_of_turn_as_one_token():
    small = shipped()
    assert all(small.is_token(end) for end in ENDS.values())
    assert not any(small.is_token(no) for no in ("", "no such token"))
    [one] = small.encode(["<|im_start|>user\nHi 안녕<|im_end|>"])
    assert (one.tokens[0], one.tokens[-1]) == ("<|im_start|>", "<|im_end|>")
    assert len(one.ids) < 12


def test_every_special_token_of_a_template_is_one_of_the_small_tokenizer():
    for name in ENDS:
        text, _ = template(name).render([{"role": "user", "content": ""}, {"role": "assistant", "content": ""}])
        pieces = shipped().encode([text])[0].tokens
        assert ENDS[name] in pieces
        assert len(pieces) < 70


def test_a_tokenizer_of_a_folder(tmp_path):
    found = tokenizer_of(folder(tmp_path), "models/mine")
    assert (found.name, found.digest, found.shipped) == ("models/mine", shipped().digest, False)
    assert tokenizer_of(tmp_path / "tokenizer.json", "models/mine") == found
    assert template_beside(tmp_path, "models/mine") is None


@pytest.mark.parametrize(
    ("config", "jinja", "source"),
    [
        ({"chat_template": "A"}, None, "A"),
        ({"chat_template": [{"name": "rag", "template": "R"}, {"name": "default", "template": "D"}]}, None, "D"),
        ({"chat_template": "A"}, "B", "B"),
        (None, "B", "B"),
    ],
)
def test_the_template_beside_a_tokenizer(tmp_path, config, jinja, source):
    found = template_beside(folder(tmp_path, config, jinja), "mine")
    assert (found.name, found.source) == ("of mine", source)


def test_what_a_tokenizer_tells_its_template():
    told = {
        "bos_token": "<s>",
        "eos_token": {"content": "</s>", "special": True},
        "pad_token": None,
        "model_max_length": 9,
    }
    assert variables(told) == {"bos_token": "<s>", "eos_token": "</s>"}


@pytest.mark.parametrize(("content", "says"), [(None, "there is no tokenizer at mine"), ("{}", "cannot be read"), ("no", "cannot be read")])  # fmt: skip
def test_a_tokenizer_that_is_missing_or_broken_says_the_cure(tmp_path, content, says):
    if content is not None:
        (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(TokenizerMissing, match=says) as failed:
        tokenizer_of(tmp_path, "mine")
    assert "Copy the model's" in str(failed.value)
