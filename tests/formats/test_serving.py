"""What a model is served, held against what it is trained on."""

import json

import pytest

from flywheel.formats.chat_format import chat_format
from flywheel.formats.chat_templates import PROBE, ChatTemplate, template
from flywheel.formats.serving import fingerprint, served_difference, template_difference
from tests.trainers import written


def test_row_158_a_served_template_that_differs_is_named_with_the_first_character():
    ours = template("chatml")
    assert template_difference(ours, ChatTemplate("copy", ours.source + "{# the same #}")) is None
    theirs = ChatTemplate("served", ours.source.replace("assistant\\n' }}{% endif %}", "assistant' }}{% endif %}"))
    text = ours.render(PROBE, add_generation_prompt=True)[0]
    said = template_difference(ours, theirs)
    assert said.startswith(
        f"the template served serves another text than chatml trains: character {len(text) - 1} is ''"
    )
    assert "Serve with the template of the manifest." in said


@pytest.mark.parametrize(
    ("trained", "served", "parts"),
    [
        ("chatml", "qwen2.5", True),  # only where there are no instructions: Qwen puts in its own
        ("llama3", "llama3.1", True),
        ("chatml", "llama3", True),
        ("gemma", "gemma", False),
        ("llama3", "llama3", False),
    ],
)
def test_row_158_every_part_of_a_template_is_looked_at(trained, served, parts):
    said = template_difference(template(trained), ChatTemplate("served", template(served).source))
    assert (said is not None) == parts


def test_row_158_a_difference_in_how_tools_are_shown_is_seen():
    ours = template("chatml")
    theirs = ChatTemplate("served", ours.source.replace("# Tools", "# Functions"))
    assert "character" in template_difference(ours, theirs)
    # A server that knows no tools serves none: what it serves is as trained.
    assert (
        template_difference(
            ours, ChatTemplate("served", "{% if tools %}{{ raise_exception('no') }}{% endif %}" + ours.source)
        )
        is None
    )


def test_row_158_a_server_that_refuses_what_is_trained():
    strict = ChatTemplate("served", "{% if messages[0].role == 'system' %}{{ raise_exception('no') }}{% endif %}")
    assert "refuses a conversation" in template_difference(template("chatml"), strict)


def test_row_158_files_of_a_server(tmp_path):
    read = chat_format("chatml", None, None, tmp_path)
    source = read.template.source
    (tmp_path / "chat_template.jinja").write_text(source)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": source.replace("user", "human")}))
    assert served_difference(read, tmp_path / "chat_template.jinja", "served") is None
    assert served_difference(read, tmp_path, "served") is None, "the file beside the configuration counts"
    (tmp_path / "chat_template.jinja").unlink()
    assert "another text than chatml trains" in served_difference(read, tmp_path, "served")
    assert "there is no chat template at none" in served_difference(read, tmp_path / "none", "none")


def test_row_158_prompts_logged_as_they_were_rendered(tmp_path):
    read = chat_format("chatml", None, None, tmp_path)
    messages = [{"role": "user", "content": "Hi"}]
    right = read.template.render(messages, add_generation_prompt=True)[0]
    sound = {"messages": messages, "prompt": right}
    path = written(tmp_path / "served.jsonl", sound)
    assert served_difference(read, path, "served.jsonl") is None
    written(path, sound, {"messages": messages, "prompt": right + " "})
    said = served_difference(read, path, "served.jsonl")
    assert said.startswith(
        f"served.jsonl, line 2, was served another text than chatml trains: character {len(right)} is ' '"
    )
    written(path, b"{}\n")
    assert "line 1: expected an object with messages and prompt" in served_difference(read, path, "served.jsonl")
    written(path)
    assert "holds no served prompt" in served_difference(read, path, "served.jsonl")
    assert "cannot be read" in served_difference(read, tmp_path / "none.jsonl", "none.jsonl")


def test_row_158_the_fingerprint_of_an_export(tmp_path):
    read = chat_format("llama3", None, None, tmp_path)
    told = fingerprint(read)
    assert told["prompt"].endswith("<|start_header_id|>assistant<|end_header_id|>\n\n")
    assert (told["template"], told["tokenizer"]) == (read.template.digest, read.tokenizer.digest)
