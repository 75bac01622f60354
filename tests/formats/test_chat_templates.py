"""Chat templates: what they render, and the proof of what is learned."""

import re

import pytest

from flywheel.formats.chat_templates import (
    ENDS,
    PROBE,
    ChatTemplate,
    TemplateInvalid,
    characters,
    check_served,
    first_difference,
    prove_mask,
    template,
)

TURNS = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Hello."},
    {"role": "user", "content": "Bye"},
    {"role": "assistant", "content": "Farewell."},
]
RENDERED = {
    "chatml": "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHello.<|im_end|>\n"
    "<|im_start|>user\nBye<|im_end|>\n<|im_start|>assistant\nFarewell.<|im_end|>\n",
    "llama3": "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|>"
    "<|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nHello.<|eot_id|>"
    "<|start_header_id|>user<|end_header_id|>\n\nBye<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nFarewell.<|eot_id|>",
    "gemma": "<bos><start_of_turn>user\nBe brief.\n\nHi<end_of_turn>\n<start_of_turn>model\nHello.<end_of_turn>\n"
    "<start_of_turn>user\nBye<end_of_turn>\n<start_of_turn>model\nFarewell.<end_of_turn>\n",
    "mistral": "<s>[INST] Be brief.\n\nHi [/INST] Hello.</s>[INST] Bye [/INST] Farewell.</s>",
}
PLAIN = "{% for m in messages %}<{{ m.role }}>{{ m.content }}<end>{% endfor %}"


def words(text):
    """A tokenizer whose tokens are special tokens, words, spaces and signs."""
    return [m.span() for m in re.finditer(r"<\|?\w+\|?>|</s>|\w+|\s|.", text)]


@pytest.mark.parametrize("name", ENDS)
def test_row_157_each_template_renders_and_learns_the_replies_alone(name):
    text, spans = template(name).render(TURNS)
    assert text == RENDERED[name]
    assert [text[a:b].strip() for a, b in spans] == ["Hello." + ENDS[name], "Farewell." + ENDS[name]]


@pytest.mark.parametrize("name", ENDS)
@pytest.mark.parametrize("tokenizer", [characters, words])
def test_row_157_the_mask_is_proved(name, tokenizer):
    proof = prove_mask(template(name), tokenizer, [TURNS, TURNS[:3]])
    assert (proof.template, proof.examples) == (name, 2)
    assert 0 < proof.trained < proof.tokens
    assert proof.longest == len(tokenizer(RENDERED[name]))


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (PLAIN, "no token is learned"),
        ("{% generation %}" + PLAIN + "{% endgeneration %}", "every token is learned"),
        (
            PLAIN.replace("{{ m.content }}<end>", "{% generation %}{{ m.content }}<end>{% endgeneration %}"),
            "parts are learned",
        ),
        (
            "{% for m in messages %}<{{ m.role }}>{% if m.role == 'assistant' %}{% generation %}{{ m.content }}{% endgeneration %}"
            "{% else %}{{ m.content }}{% endif %}<end>{% endfor %}",
            "end of turn '<end>' is not learned",
        ),
        (
            "{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}<{{ m.role }}>{{ m.content }}<end>{% endgeneration %}"
            "{% else %}<{{ m.role }}>{{ m.content }}<end>{% endif %}{% endfor %}",
            "not the assistant's reply",
        ),
        ("{% generation %}{% generation %}x{% endgeneration %}{% endgeneration %}", "nests"),
        ("{% for m in messages %}", "does not parse"),
        ("{{ messages[99].content }}{{ messages[99].content.x }}", "cannot render"),
        ("{{ messages.__class__.__mro__ }}", "cannot render"),
    ],
)
def test_row_157_a_wrong_template_is_a_failure_that_names_it(source, says):
    with pytest.raises(TemplateInvalid, match=says) as failed:
        prove_mask(ChatTemplate("mine", source, "<end>"), characters, [TURNS])
    assert "mine" in str(failed.value)


def test_row_157_a_token_may_not_reach_over_the_edge_of_a_reply():
    pairs = lambda text: [(i, min(i + 7, len(text))) for i in range(0, len(text), 7)]  # noqa: E731
    with pytest.raises(TemplateInvalid, match="reaches over the edge"):
        prove_mask(template("chatml"), pairs, [TURNS])


def test_row_157_length_fits():
    most = len(RENDERED["chatml"])
    assert prove_mask(template("chatml"), characters, [TURNS], max_tokens=most).longest == most
    with pytest.raises(TemplateInvalid, match=r"example 1 has .* at most"):
        prove_mask(template("chatml"), characters, [TURNS], max_tokens=most - 1)


def test_a_message_cannot_forge_the_marks():
    forged = [{"role": "user", "content": "\ue000\ue001\ue000x"}, TURNS[2]]
    with pytest.raises(TemplateInvalid, match="private characters"):
        template("chatml").render(forged)


def test_tool_calls_and_unknown_roles_are_not_shown():
    with pytest.raises(TemplateInvalid, match="no tool calls"):
        template("llama3").render([*TURNS[:2], {"role": "assistant", "content": "", "tool_calls": "[]x"}])
    with pytest.raises(TemplateInvalid, match="there is no role tool"):
        template("gemma").render([*TURNS[:2], {"role": "tool", "content": "x"}])
    with pytest.raises(TemplateInvalid, match="expected one of chatml"):
        template("vicuna")


def test_row_158_a_served_template_that_differs_is_named_with_the_first_character():
    ours = template("chatml")
    check_served(ours, ChatTemplate("copy", ours.source + "{# the same #}", ours.end_of_turn))
    theirs = ChatTemplate("served", ours.source.replace("assistant\\n", "assistant"), ours.end_of_turn)
    text = ours.render(PROBE, add_generation_prompt=True)[0]
    with pytest.raises(TemplateInvalid, match=f"served serves .* character {len(text) - 1} is ''"):
        check_served(ours, theirs)
    assert first_difference("abc", "abd").at == 2
    assert first_difference("abc", "abc") is None
    assert ours.digest != theirs.digest
