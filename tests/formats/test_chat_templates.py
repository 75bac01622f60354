"""Chat templates: what they render, and what of it they mark as learned."""

import pytest

from flywheel.formats.chat_templates import (
    ENDS,
    ChatTemplate,
    TemplateInvalid,
    first_difference,
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
    "qwen2.5": "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHello.<|im_end|>\n"
    "<|im_start|>user\nBye<|im_end|>\n<|im_start|>assistant\nFarewell.<|im_end|>\n",
    "llama3.1": "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\n"
    "Today Date: 26 Jul 2024\n\nBe brief.<|eot_id|>"
    "<|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nHello.<|eot_id|>"
    "<|start_header_id|>user<|end_header_id|>\n\nBye<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nFarewell.<|eot_id|>",
    "gemma": "<bos><start_of_turn>user\nBe brief.\n\nHi<end_of_turn>\n<start_of_turn>model\nHello.<end_of_turn>\n"
    "<start_of_turn>user\nBye<end_of_turn>\n<start_of_turn>model\nFarewell.<end_of_turn>\n",
    "mistral": "<s>[INST] Hi[/INST] Hello.</s>[INST] Be brief.\n\nBye[/INST] Farewell.</s>",
}

CALL = {"type": "function", "id": "abcdefgh1", "function": {"name": "get_order", "arguments": {"id": 7}}}
CALLS = [
    {"role": "user", "content": "Where is 7?"},
    {"role": "assistant", "content": "", "tool_calls": [CALL]},
    {"role": "tool", "content": '{"state": "shipped"}', "name": "get_order", "tool_call_id": "abcdefgh1"},
    {"role": "assistant", "content": "It shipped."},
]
TOOLS = [{"type": "function", "function": {"name": "get_order", "parameters": {"type": "object", "properties": {}}}}]
CALLED = {
    "chatml": '<tool_call>\n{"name": "get_order", "arguments": {"id": 7}}\n</tool_call><|im_end|>',
    "qwen2.5": '<tool_call>\n{"name": "get_order", "arguments": {"id": 7}}\n</tool_call><|im_end|>',
    "llama3.1": '{"name": "get_order", "parameters": {"id": 7}}<|eot_id|>',
    "mistral": '[TOOL_CALLS] [{"name": "get_order", "arguments": {"id": 7}, "id": "abcdefgh1"}]</s>',
}


@pytest.mark.parametrize("name", ENDS)
def test_row_157_each_template_renders_and_learns_the_replies_alone(name):
    text, spans = template(name).render(TURNS)
    assert text == RENDERED[name]
    assert [text[a:b].strip() for a, b in spans] == ["Hello." + ENDS[name], "Farewell." + ENDS[name]]


@pytest.mark.parametrize("name", CALLED)
def test_row_157_calls_of_tools_are_learned_and_their_results_are_not(name):
    text, spans = template(name).render(CALLS, tools=TOOLS)
    assert [text[a:b].strip() for a, b in spans] == [CALLED[name], "It shipped." + ENDS[name]]
    assert text.count('"get_order"') > 1, "the tools offered are shown"
    assert text.index("shipped") > spans[0][1]


@pytest.mark.parametrize("name", ["llama3", "gemma"])
def test_row_157_a_template_without_tools_refuses_them(name):
    with pytest.raises(TemplateInvalid, match="knows no tools"):
        template(name).render(CALLS, tools=TOOLS)
    with pytest.raises(TemplateInvalid, match="knows no tools"):
        template(name).render(CALLS)


def test_row_157_reasoning_is_learned_before_the_answer():
    thought = {"role": "assistant", "content": "7", "reasoning_content": "3+4=7"}
    text, spans = template("chatml").render([TURNS[1], thought])
    assert [text[a:b] for a, b in spans] == ["<think>\n3+4=7\n</think>\n\n7<|im_end|>"]


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("{% generation %}{% generation %}x{% endgeneration %}{% endgeneration %}", "nests"),
        ("{% for m in messages %}", "does not parse"),
        ("{{ messages[99].content }}{{ messages[99].content.x }}", "cannot render"),
        ("{{ messages.__class__.__mro__ }}", "cannot render"),
        ("{{ messages[0].content + 1 }}", "fails on these messages: TypeError"),
        ("{{ strftime_now('%d %b %Y') }}", "what day it is"),
    ],
)
def test_a_template_that_cannot_be_used_is_named(source, says):
    with pytest.raises(TemplateInvalid, match=says) as failed:
        ChatTemplate("mine", source, "<end>").render(TURNS)
    assert "mine" in str(failed.value)


@pytest.mark.parametrize("name", ENDS)
def test_the_end_of_a_turn_is_found_out_where_nobody_says_it(name):
    assert ChatTemplate("mine", template(name).source).ending == ENDS[name]
    assert ChatTemplate("mine", "{% for m in messages %}{{ m.content }}{% endfor %}").ending == ""


def test_a_message_cannot_forge_the_marks():
    forged = [{"role": "user", "content": "\ue000\ue001\ue000x"}, TURNS[2]]
    with pytest.raises(TemplateInvalid, match="private characters"):
        template("chatml").render(forged)


def test_roles_and_names_there_are_not():
    with pytest.raises(TemplateInvalid, match="there is no role critic"):
        template("gemma").render([*TURNS[:2], {"role": "critic", "content": "x"}])
    with pytest.raises(TemplateInvalid, match="expected one of chatml"):
        template("vicuna")


def test_what_a_tokenizer_tells_is_known_to_its_template():
    mine = ChatTemplate("mine", "{{ bos_token }}{{ messages[0].content }}", variables={"bos_token": "<s>"})
    assert mine.render(TURNS)[0] == "<s>Be brief."
    assert mine.digest != template("chatml").digest


def test_row_158_the_first_difference_of_two_texts():
    assert first_difference("abc", "abd").at == 2
    assert first_difference("abc", "ab").served == ""
    assert first_difference("abc", "abc") is None


@pytest.mark.slow
@pytest.mark.parametrize("name", ENDS)
def test_row_157_the_text_and_what_is_learned_are_those_of_transformers(name):
    library = pytest.importorskip("transformers.utils.chat_template_utils", reason='pip install "data-flywheel[train]"')
    mine = template(name)
    tooled = [(CALLS, TOOLS), (CALLS, None)] if name in CALLED else []
    korean = [{"role": "user", "content": "안녕 <b>&"}, {"role": "assistant", "content": '네, 👩\u200d👩 "그래"\n\n'}]
    for messages, tools in [(TURNS, None), (TURNS[1:], None), (korean, None), *tooled]:
        ours, spans = mine.render(messages, tools=tools)
        theirs, indices = library.render_jinja_template(
            [messages], tools=tools, chat_template=mine.source, return_assistant_tokens_mask=True
        )
        assert (theirs, indices) == ([ours], [spans])
        prompted = library.render_jinja_template(
            [messages], tools=tools, chat_template=mine.source, add_generation_prompt=True
        )[0]
        assert prompted == [mine.render(messages, add_generation_prompt=True, tools=tools)[0]]
