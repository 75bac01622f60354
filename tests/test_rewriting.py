import json

import orjson
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flywheel.edits.redact_card import RedactCard
from flywheel.edits.redact_email import RedactEmail
from flywheel.edits.redact_phone import RedactPhone
from flywheel.edits.redact_rrn import RedactRrn
from flywheel.edits.redact_secret import RedactSecret
from flywheel.edits.strip_html import StripHtml
from flywheel.edits.strip_markdown import StripMarkdown
from flywheel.edits.trim_whitespace import TrimWhitespace
from flywheel.records import CONVERSATIONS, digests, message
from flywheel.rewriting import EDITS_MADE, residue, rewrite, rewrite_text
from flywheel.signals.tokens import count
from tests.build import chat, rows

SECRET = b"k" * 32
EMAIL = RedactEmail()
REDACTIONS = (RedactPhone(), EMAIL, RedactSecret(), RedactCard(), RedactRrn())
EDITS = (*REDACTIONS, TrimWhitespace())
TOKEN = EMAIL.token("a@b.com", SECRET)


def only(frame: pl.DataFrame, at: int = -1) -> dict[str, str | None]:
    return frame["messages"][0][at]


def test_content_and_digests_change_together():
    before = chat("user: I am a@b.com", "assistant: Hello a@b.com and a@b.com", id="s:1")
    after, made = rewrite(before, [EMAIL], SECRET)
    assert [m["content"] for m in after["messages"][0]] == [f"I am {TOKEN}", f"Hello {TOKEN} and {TOKEN}"]
    expected = digests([message(m) for m in after["messages"][0]], None)
    assert after.select(*expected).row(0, named=True) == expected
    assert after["id"].to_list() == ["s:1"]
    assert made.schema == EDITS_MADE
    assert made.drop("tokens_saved").sort("message").rows() == [
        ("s:1", 0, "content", "redact_email", 1, 12, 5 + len(TOKEN)),
        ("s:1", 1, "content", "redact_email", 2, 25, 11 + 2 * len(TOKEN)),
    ]


def test_the_reply_digest_stays_when_only_the_prompt_changes():
    before = chat("user: I am a@b.com", "assistant: Hello")
    after, _ = rewrite(before, [EMAIL], SECRET)
    assert after["reply_digest"].equals(before["reply_digest"])
    assert after["prompt_digest"].item() != before["prompt_digest"].item()
    assert after["digest"].item() != before["digest"].item()


def test_rows_without_a_change_are_handed_on_and_the_order_stays():
    clean = chat("user: a @ b", {"role": "assistant", "content": None, "tool_calls": '[ {"id":1.50} ]'}, id="s:9")
    before = rows(
        chat("user: x@y.org", "assistant: b", id="s:5"), clean, chat("user: a", "assistant: x@y.org", id="s:1")
    )
    after, made = rewrite(before, EDITS, SECRET)
    assert after["id"].to_list() == ["s:5", "s:9", "s:1"]
    assert after[1].equals(clean)
    assert made["id"].sort().to_list() == ["s:1", "s:5"]
    assert after.schema == CONVERSATIONS


@pytest.mark.parametrize("frame", [chat("user: a", "assistant: b"), chat("user: a@b.com", "assistant: b").head(0)])
def test_nothing_to_do(frame):
    after, made = rewrite(frame, EDITS, SECRET)
    assert after is frame
    assert made.is_empty()
    assert made.schema == EDITS_MADE


@pytest.mark.parametrize("field", ["content", "reasoning", "refusal", "name"])
def test_every_text_field(field):
    after, made = rewrite(chat("user: hi", {"role": "assistant", field: "to a@b.com"}), [EMAIL], SECRET)
    assert only(after)[field] == f"to {TOKEN}"
    assert made["field"].to_list() == [field]


def test_arguments_are_json_in_a_string_in_json():
    arguments = '{"to": "a@b.com", "big": 12345678901234567890123, "n": 1.50, "note": "é\\u00e9"}'
    calls = (
        '[ {"id": "a@b.com", "type":"function", "function": {"name":"send", "arguments":'
        + json.dumps(arguments)
        + "}} ]"
    )
    after, made = rewrite(chat("user: hi", {"role": "assistant", "tool_calls": calls}), [EMAIL], SECRET)
    new = only(after)["tool_calls"]
    assert json.loads(new)[0]["function"]["arguments"] == arguments.replace("a@b.com", TOKEN)
    assert json.loads(new)[0]["id"] == TOKEN  # the result's tool_call_id becomes the same
    assert new.startswith('[ {"id": "' + TOKEN + '", "type":"function", ')
    assert made["count"].to_list() == [2]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ('{"to": ["a@b.com", {"id": "a@b.com"}]}', '{"to": ["' + TOKEN + '", {"id": "' + TOKEN + '"}]}'),
        ('{"to": "a@b.com"', '{"to": "' + TOKEN + '"'),
        ('"a@b.com"', f'"{TOKEN}"'),
        ('{"a@b.com": 1}', '{"' + TOKEN + '": 1}'),
        ('{"to": "a\\u0040b.com"}', '{"to": "' + TOKEN + '"}'),
        ('{ "x" :1.0,"y":"\\/"}', '{ "x" :1.0,"y":"\\/"}'),
    ],
)
def test_arguments(arguments, expected):
    calls = orjson.dumps([{"id": "c", "function": {"name": "f", "arguments": arguments}}]).decode()
    after, _ = rewrite(chat("user: hi", {"role": "assistant", "tool_calls": calls}), [EMAIL], SECRET)
    assert orjson.loads(only(after)["tool_calls"])[0]["function"]["arguments"] == expected


def test_extra_fields_and_tool_results():
    result = {"role": "tool", "content": '{"mail":"line\\na@b.com","n":[1, 2]}', "tool_call_id": "c"}
    reply = {"role": "assistant", "content": "ok", "extra": '{"type":null,"x":["a@b.com"]}'}
    after, _ = rewrite(chat("user: hi", result, reply), [EMAIL], SECRET)
    assert only(after, 1)["content"] == '{"mail":"line\\n' + TOKEN + '","n":[1, 2]}'
    assert only(after)["extra"] == '{"type":null,"x":["' + TOKEN + '"]}'


@pytest.mark.parametrize("joiner", ["\n", "", " "])
def test_content_stays_the_joined_text_of_its_parts(joiner):
    parts = [
        {"type": "text", "text": "I am a@b.com  "},
        {"type": "image_url", "image_url": {"url": "http://x/?u=a@b.com"}},
        {"type": "text", "text": "hi\n\n\n"},
    ]
    user = {
        "role": "user",
        "content": joiner.join(["I am a@b.com  ", "hi\n\n\n"]),
        "parts": orjson.dumps(parts).decode(),
    }
    after, _ = rewrite(chat(user, "assistant: b"), EDITS, SECRET)
    first = only(after, 0)
    new = orjson.loads(first["parts"])
    assert new[1] == {"type": "image_url", "image_url": {"url": f"http://x/?u={TOKEN}"}}
    assert first["content"] == joiner.join(p["text"] for p in new if p["type"] == "text")
    assert rewrite(after, EDITS, SECRET)[0].equals(after)


def test_a_value_cut_in_two_by_its_parts_is_not_left_in_the_content():
    parts = [{"type": "text", "text": "I am a@b"}, {"type": "text", "text": ".com"}]
    user = {"role": "user", "content": "I am a@b.com", "parts": orjson.dumps(parts).decode()}
    after, _ = rewrite(chat(user, "assistant: b"), [EMAIL, TrimWhitespace()], SECRET)
    assert only(after, 0)["content"] == f"I am {TOKEN}"


def test_trimming_leaves_tool_calls_and_results_alone():
    calls = '[{"id":"c","function":{"name":"f","arguments":"{\\"code\\": \\"x  \\\\n\\"}"}}]'
    before = chat(
        "user: hi  ",
        {"role": "assistant", "tool_calls": calls},
        {"role": "tool", "content": "x  \n", "tool_call_id": "c"},
        "assistant: done ",
    )
    after, made = rewrite(before, EDITS, SECRET)
    assert [m["content"] for m in after["messages"][0]] == ["hi", None, "x  \n", "done"]
    assert only(after, 1)["tool_calls"] == calls
    assert made["count"].to_list() == [1, 1]


def test_rewrite_text():
    texts = pl.Series("correction", ["to a@b.com  ", None, "", "same", "same"])
    assert rewrite_text(texts, EDITS, SECRET).to_list() == [f"to {TOKEN}", None, "", "same", "same"]
    assert rewrite_text(texts, EDITS, SECRET).name == "correction"
    assert rewrite_text(pl.Series("c", [], dtype=pl.String), EDITS, SECRET).to_list() == []


def test_residue_counts_every_occurrence_and_names_what_is_clean():
    calls = '[{"id":"c","function":{"name":"f","arguments":"{\\"to\\": \\"a\\\\u0040b.com\\"}"}}]'
    frame = rows(
        chat("user: a@b.com", "assistant: a@b.com x@y.org"),
        chat("user: a@b.com", {"role": "assistant", "tool_calls": calls}),
    )
    found = dict(residue(frame, REDACTIONS).rows())
    assert found == {"PHONE": 0, "EMAIL": 5, "SECRET": 0, "CARD": 0, "RRN": 0}


def test_residue_of_examples():
    one = chat("user: a@b.com", "assistant: +82 10-1234-5678")
    last, first = pl.col("messages").list.slice(-1), pl.col("messages").list.head(1)
    examples = one.select(prompt=first, completion=last, rejected=pl.lit(None, dtype=CONVERSATIONS["messages"]))
    assert dict(residue(examples, (EMAIL, RedactPhone()), ("completion", "rejected")).rows()) == {
        "EMAIL": 0,
        "PHONE": 1,
    }
    assert dict(residue(examples, (EMAIL,), ("prompt", "completion")).rows()) == {"EMAIL": 1}
    assert dict(residue(examples.head(0), (EMAIL,), ("prompt",)).rows()) == {"EMAIL": 0}


PIECES = [
    "a@b.com",
    "010-1234-5678",
    "+1-555-0143",
    "4111 1111 1111 1111",
    "sk-" + "a1" * 12,
    "key: ",
    "900101-1234567",
    " ",
    "\n",
    "  \n\n\n",
    "-",
    "x",
    "0",
    "\\n",
    "\\",
    '"',
    "```\n",
    "안녕",
    "[",
    "]",
]
TEXT = st.lists(st.sampled_from(PIECES), max_size=7).map("".join)
CONTENT = st.fixed_dictionaries({"content": TEXT, "reasoning": st.none() | TEXT})


@st.composite
def conversations(draw: st.DrawFn) -> pl.DataFrame:
    frames = []
    for n in range(draw(st.integers(1, 3))):
        user, reply, argument = draw(TEXT), draw(CONTENT), draw(TEXT)
        calls = orjson.dumps(
            [{"id": "c", "function": {"name": "f", "arguments": orjson.dumps({"x": argument}).decode()}}]
        ).decode()
        frames.append(
            chat({"role": "user", "content": user}, {"role": "assistant", "tool_calls": calls, **reply}, id=f"s:{n}")
        )
    return rows(*frames)


@settings(max_examples=150, deadline=None)
@given(conversations(), st.permutations(EDITS))
def test_laws(frame, edits):
    once, made = rewrite(frame, edits, SECRET)
    assert once["id"].equals(frame["id"])
    assert once.schema == frame.schema
    twice, nothing = rewrite(once, edits, SECRET)
    assert twice.equals(once)
    assert nothing.is_empty()
    assert residue(once, REDACTIONS)["count"].sum() == 0
    changed = frame.filter(frame["digest"] != once["digest"])["id"]
    assert sorted(set(made["id"])) == changed.to_list()
    alone = pl.concat([rewrite(frame[n], edits, SECRET)[0] for n in range(frame.height)])
    assert alone.equals(once)


@settings(max_examples=50, deadline=None)
@given(TEXT, TEXT)
def test_one_value_is_one_token_everywhere(before, after):
    frame = rows(
        chat(f"user: {before} a@b.com {after}", "assistant: a@b.com"), chat("user: <a@b.com>", "assistant: hi")
    )
    texts = rewrite(frame, EDITS, SECRET)[0]["messages"].explode(empty_as_null=True).struct.field("content").to_list()
    assert all(TOKEN in text for text in texts[:3])


def test_a_call_and_its_result_keep_one_id_and_the_tools_offered_are_rewritten_too():
    calls = orjson.dumps([{"id": "a@b.com", "type": "function", "function": {"name": "f", "arguments": "{}"}}]).decode()
    turns = [
        "user: hi",
        {"role": "assistant", "tool_calls": calls},
        {"role": "tool", "tool_call_id": "a@b.com", "content": "ok"},
        "assistant: done",
    ]
    tools = '[{"function":{"name":"f","description":"mail a@b.com"}}]'
    before = chat(*turns, tools=tools)
    after, made = rewrite(before, [EMAIL], SECRET)
    messages = after["messages"][0]
    assert orjson.loads(messages[1]["tool_calls"])[0]["id"] == messages[2]["tool_call_id"] == TOKEN
    assert after["tools"].item() == tools.replace("a@b.com", TOKEN)
    assert after["prompt_digest"].item() != before["prompt_digest"].item()
    assert made.filter(pl.col("field") == "tools").select("message", "count").row(0) == (-1, 1)
    assert residue(after, [EMAIL])["count"].to_list() == [0]
    assert residue(before, [EMAIL])["count"].to_list() == [3]


def test_row_149_fenced_tags_are_kept_others_removed_and_the_tokens_told() -> None:
    kept = '```html\n<div class="x">kept</div>\n```'
    before = f"<p>Great  <b>phone</b></p>\n\n\n<div>outside</div>\n\n{kept}"
    frame = chat("user: hi", f"assistant: {before}", id="s:1")
    clean, made = rewrite(frame, [StripHtml(), TrimWhitespace()], SECRET)
    after = clean["messages"][0][1]["content"]
    assert kept in after
    assert "<" not in after.replace(kept, "")
    assert made["tokens_saved"].sum() == count(before) - count(after) > 0
    assert made["chars_before"][0] - made["chars_after"][-1] == len(before) - len(after)
    assert frame["messages"][0][1]["content"] == before, "what came in stays as it was"


def test_row_150_the_strict_rule_asks_for_the_check_digit() -> None:
    texts = pl.Series(["900101-1234568", "900101-1234567"])
    strict, loose = (rewrite_text(texts, [RedactRrn(strict=s)], SECRET).to_list() for s in (True, False))
    assert strict[0].startswith("[RRN_")
    assert strict[1] == "900101-1234567"
    assert all(t.startswith("[RRN_") for t in loose)
    assert loose[0] == strict[0]


def test_an_edit_sees_again_what_a_later_one_changed():
    """Markdown's marks hide an address, the address stands in a tag: three rounds, whatever the order of the edits."""
    edits = [RedactEmail(), StripMarkdown(), StripHtml()]
    for order in (edits, edits[::-1]):
        new = rewrite_text(pl.Series(["a **b@c.org** <b>x</b> *<i>d@e.org</i>*", "nothing"]), order, SECRET)
        assert not [1 for text in new if "@" in text or "*" in text or "<" in text]
        assert new[1] == "nothing"
