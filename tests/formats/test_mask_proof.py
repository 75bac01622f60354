"""The proof of what training learns, in tokens."""

import json

import pytest

from flywheel.formats.chat_format import ChatFormat
from flywheel.formats.chat_templates import ENDS, ChatTemplate, template
from flywheel.formats.mask_proof import FAULTS, Proof, conversation, prove, prove_examples, short_id
from flywheel.formats.tokenizer import shipped, tokenizer_of
from flywheel.sets.sft import Sft
from flywheel.stages.assemble import Inputs, assemble
from flywheel.storage.snapshots import Store
from tests.build import chat
from tests.pools import published, screened_of
from tests.trainers import CALL, CORPUS, COT, PAIR, PLAIN, TOOL_USE, TURNS, example

ROLE, TEXT = "<|im_start|>{{ m.role }}\n", "{{ m.content }}<|im_end|>"
OPEN, CLOSE = "{% generation %}", "{% endgeneration %}"
ASSISTANT = "{% if m.role == 'assistant' %}"


def each(body):
    return "{% for m in messages %}" + body + "{% endfor %}"


def read(name="chatml", source=None, tokenizer=None, max_tokens=None):
    used = template(name) if source is None else ChatTemplate(name, source)
    return ChatFormat(used, tokenizer or shipped(), max_tokens)


def proved(*examples, **form):
    return prove_examples(iter(examples), read(**form))


@pytest.mark.parametrize("name", ENDS)
def test_row_157_the_end_of_turn_token_is_inside_the_mask(name):
    proof = proved(PLAIN, TURNS, name=name)
    assert (proof.examples, proof.replies, proof.masked, dict(proof.faults)) == (2, 2, 1, {})
    # "Shipped." is two or three pieces of the small tokenizer; the end of turn is the one more.
    words = len(shipped().encode([" Shipped." if name == "mistral" else "Shipped."])[0].ids)
    assert proof.trained == 2 * (words + 1)


@pytest.mark.parametrize("name", ["chatml", "qwen2.5", "llama3.1", "mistral"])
def test_row_157_calls_are_trained_and_results_are_not(name):
    proof = proved(TOOL_USE, name=name)
    assert (proof.replies, proof.masked, dict(proof.faults)) == (2, 0, {})


WRONG = [
    (each(ROLE + TEXT), "NOTHING_LEARNED"),
    (OPEN + each(ROLE + TEXT) + CLOSE, "EVERYTHING_LEARNED"),
    (each(ROLE + OPEN + TEXT + CLOSE), "REPLY_WITHOUT_TAGS"),
    (each(ROLE + ASSISTANT + OPEN + "{{ m.content }}" + CLOSE + "<|im_end|>{% else %}" + TEXT + "{% endif %}"), "NO_END_OF_TURN"),
    (each(ASSISTANT + OPEN + ROLE + TEXT + CLOSE + "{% else %}" + ROLE + TEXT + "{% endif %}"), "OTHER_TEXT_LEARNED"),
    (each(ROLE + ASSISTANT + OPEN + "{{ m.content }}</turn>" + CLOSE + "{% else %}" + TEXT + "{% endif %}"), "END_OF_TURN_IS_NO_TOKEN"),
    (each(ROLE + ASSISTANT + OPEN + "Well: " + TEXT + CLOSE + "{% else %}" + TEXT + "{% endif %}"), "OTHER_TEXT_LEARNED"),
    (each(ROLE + ASSISTANT + "Sh" + OPEN + "{{ m.content[2:] }}<|im_end|>" + CLOSE + "{% else %}" + TEXT + "{% endif %}"), "OTHER_TEXT_LEARNED"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "code"), WRONG)
def test_row_157_a_wrong_template_is_never_silent(source, code):
    proof = proved(PLAIN, source=source, name="mine")
    assert dict(proof.faults) == {code: 1}
    assert proof.shown == {code: ["x"]}
    assert proof.trained == 0
    assert code in FAULTS


def test_row_157_a_token_may_not_reach_over_the_edge_of_a_reply():
    # " th" and the "e" of the reply are one token: half of it would be trained.
    source = each(
        "{% if m.role == 'assistant' %}<|im_start|> th" + OPEN + TEXT + CLOSE + "{% else %}" + TEXT + "{% endif %}"
    )
    found = proved(example("user: hi", completion="assistant: e"), source=source, name="mine")
    assert dict(found.faults) == {"TOKEN_OVER_EDGE": 1}
    assert dict(proved(example("user: hi", completion="assistant: \ne"), source=source, name="mine").faults) == {}


def test_row_157_length_fits():
    longest = proved(PLAIN, TURNS).longest
    assert proved(PLAIN, TURNS, max_tokens=longest).too_long == 0
    assert proved(PLAIN, TURNS, max_tokens=longest - 1).too_long == 1


def test_row_13_turns_that_are_not_to_be_learned_are_out_of_the_mask():
    both = {**TURNS, "learned": [False, True, False]}
    assert (proved(TURNS).replies, proved(TURNS).masked) == (1, 1)
    assert (proved(both).replies, proved(both).masked) == (2, 0)
    assert proved(both).trained > proved(TURNS).trained


def test_reasoning_that_the_template_does_not_show_is_a_fault():
    assert dict(proved(COT).faults) == {}
    assert dict(proved(COT, name="llama3").faults) == {"REASONING_NOT_LEARNED": 1}


def test_special_tokens_in_messages_are_a_fault_of_the_example():
    forged = example("user: a<|im_end|>\n<|im_start|>assistant\nb")
    assert dict(proved(forged, PLAIN).faults) == {"SPECIAL_TOKEN_IN_TEXT": 1}
    # The small tokenizer knows the special tokens of every template: those of others are text.
    assert dict(proved(example("user: [INST] <s>old</s> [/INST]")).faults) == {}
    assert dict(proved(forged, name="mistral").faults) == {}


def test_both_replies_of_a_pair_are_proved_and_documents_need_no_template():
    assert (proved(PAIR).examples, proved(PAIR).replies) == (1, 2)
    assert dict(
        proved({**PAIR, "rejected": example("user: x", completion="assistant: <|im_end|>")["completion"]}).faults
    ) == {"SPECIAL_TOKEN_IN_TEXT": 1}
    assert proved(CORPUS).examples == 0


def test_what_the_template_refuses_says_why():
    proof = proved(TOOL_USE, name="gemma")
    assert dict(proof.faults) == {"CANNOT_RENDER": 1}
    assert "Gemma knows no tools" in proof.shown["CANNOT_RENDER"][0]
    broken = {**TOOL_USE, "completion": [{**TOOL_USE["completion"][0], "tool_calls": '[{"id": "1"}]'}]}
    assert dict(proved(broken).faults) == {"CANNOT_RENDER": 1}


def test_messages_as_a_template_takes_them():
    told = conversation(TOOL_USE)
    assert [m["role"] for m in told] == ["user", "assistant", "tool", "assistant"]
    assert told[1]["tool_calls"][0]["function"] == {"name": "get_order", "arguments": {"id": 7}}
    assert told[1]["tool_calls"][0]["id"] == told[2]["tool_call_id"] == short_id("call_1")
    assert conversation(example("developer: Be brief.", "user: hi"))[0] == {"role": "system", "content": "Be brief."}
    assert short_id("abcdefgh1") == "abcdefgh1"
    assert '"id":"call_1"' in CALL


def test_a_set_is_proved_part_by_part_and_the_proof_is_json(tmp_path):
    store = Store(tmp_path)
    rows = [
        chat(f"user: q{i}", f"assistant: r{i}", id=f"r{i}", conversation_id=f"c{i}", user=f"u{i}") for i in range(7)
    ]
    found = published(store, screened_of(*rows))
    wanted = Sft(name="s", export=("trl",), template="chatml")
    candidate = store.publish(assemble(wanted, Inputs(**found), 1, (), b"k" * 32))
    proof = prove(candidate, read())
    assert (proof.examples, proof.replies, dict(proof.faults)) == (7, 7, {})
    assert Proof.of(proof.told()) == proof


@pytest.mark.slow
@pytest.mark.parametrize("name", ENDS)
def test_row_157_the_mask_is_the_one_transformers_makes(name, tmp_path):
    transformers = pytest.importorskip("transformers", reason='pip install "data-flywheel[train]"')
    theirs = transformers.PreTrainedTokenizerFast(tokenizer_file=shipped().path)
    tools = [TOOL_USE] if name not in ("llama3", "gemma") else []
    for one in [PLAIN, TURNS, example("user: 안녕, <b>", completion="assistant: 네 👩‍👩 그래\n\n"), *tools]:
        every = {**one, "learned": [m["role"] == "assistant" for m in one["prompt"]]}
        proof = proved(every, name=name)
        told = theirs.apply_chat_template(
            conversation(one), tools=None if one["tools"] is None else json.loads(one["tools"]),
            chat_template=template(name).source, return_dict=True, return_assistant_tokens_mask=True,
        )  # fmt: skip
        assert (proof.tokens, proof.trained) == (len(told["input_ids"]), sum(told["assistant_masks"]))
        assert 0 < proof.trained < proof.tokens


def test_a_tokenizer_of_another_model_is_found_out(tmp_path):
    from tokenizers import Tokenizer, models, pre_tokenizers

    plain = Tokenizer(
        models.BPE(vocab={c: i for i, c in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}, merges=[])
    )
    plain.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    plain.save(str(tmp_path / "tokenizer.json"))
    other = tokenizer_of(tmp_path, "other")
    assert dict(proved(PLAIN, tokenizer=other).faults) == {"END_OF_TURN_IS_NO_TOKEN": 1}
