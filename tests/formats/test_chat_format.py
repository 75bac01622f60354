"""What a recipe names as the format of its model."""

import json
import shutil

import pytest

from flywheel.formats.chat_format import chat_format, template_at
from flywheel.formats.chat_templates import TemplateInvalid, template
from flywheel.formats.tokenizer import TokenizerMissing, shipped


def test_nothing_named_nothing_proved(tmp_path):
    assert chat_format(None, None, None, tmp_path) is None


def test_a_template_that_comes_with_flywheel_and_the_small_tokenizer(tmp_path):
    read = chat_format("llama3.1", None, 512, tmp_path)
    assert (read.template, read.tokenizer, read.max_tokens) == (template("llama3.1"), shipped(), 512)
    assert read.digest != chat_format("llama3.1", None, 513, tmp_path).digest


def test_a_folder_gives_tokenizer_and_template(tmp_path):
    model = tmp_path / "models" / "mine"
    model.mkdir(parents=True)
    shutil.copy(shipped().path, model / "tokenizer.json")
    with pytest.raises(TemplateInvalid, match=r"has no chat template beside it\. Add template = one of chatml"):
        chat_format(None, "models/mine", None, tmp_path)
    source = "{{ bos_token }}" + template("chatml").source
    (model / "tokenizer_config.json").write_text(json.dumps({"chat_template": source, "bos_token": "<s>"}))
    read = chat_format(None, "models/mine", None, tmp_path)
    assert (read.template.source, read.template.variables, read.template.ending) == (
        source,
        {"bos_token": "<s>"},
        "<|im_end|>",
    )
    assert chat_format("models/mine", None, None, tmp_path).template.source == source
    assert chat_format("gemma", "models/mine", None, tmp_path).template == template("gemma")


def test_a_file_of_jinja(tmp_path):
    (tmp_path / "mine.jinja").write_text(template("gemma").source + "\n")
    assert chat_format("mine.jinja", None, None, tmp_path).template.digest == template("gemma").digest


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "there is no chat template at mine.jinja. Expected one of chatml"),
        (b"{% for m in messages %}", "mine.jinja does not parse"),
        (b"{{ raise_exception('never') }}", "mine.jinja cannot render these messages: never"),
        (b"\xff\xfe", "is not UTF-8"),
    ],
)
def test_a_template_that_cannot_be_used_says_the_cure(tmp_path, content, says):
    if content is not None:
        (tmp_path / "mine.jinja").write_bytes(content)
    with pytest.raises(TemplateInvalid, match=says):
        chat_format("mine.jinja", None, None, tmp_path)
    with pytest.raises(TokenizerMissing, match="no tokenizer at nowhere"):
        chat_format("chatml", "nowhere", None, tmp_path)


def test_a_folder_without_a_template(tmp_path):
    with pytest.raises(TemplateInvalid, match="there is no chat template at mine"):
        template_at(tmp_path, "mine")
