"""What each kind of operator promises, asked of every operator there is. A new file is covered before its author writes a test."""

import math
import re
from functools import cache, reduce

import orjson
import polars as pl
import pytest

from flywheel.edits import EDITS
from flywheel.errors import Unreadable
from flywheel.exports import EXPORTS
from flywheel.filters import FILTERS
from flywheel.kinds import SetKind
from flywheel.labels import COMPARISONS, LABEL_COLUMNS, LABELS
from flywheel.records import CONVERSATIONS, SLIM, canonical, message
from flywheel.rewriting import rewrite
from flywheel.sets import EXAMPLES, PICKED, SETS
from flywheel.signals import SIGNALS
from flywheel.sources import SOURCES
from tests.build import chat, rows
from tests.pools import label, labels_of

SECRET = b"s" * 32
GIVEN = {
    "matches": {"name": "newer_models", "column": "model", "operator": "contains", "value": "mini"},
    "behaviour": {"name": "rewrites", "detector": "unasked_rewrite"},
    "out_of_time": {"first": "2026-03-01"},
    "out_of_period": {"first": 1990},
    "topic_relevance": {"topics": {"router": {"examples": ["How do I reset the router?", "라우터 초기화"]}}},
    "own_axes": {
        "axes": {"tier": {"values": {"paying": {"column": "metadata.plan", "operator": "is", "value": "pro"}}}}
    },
    "misses_requirement": {"requires": ["score", "rationale", "json"], "max_words": 9, "language": "en"},
    "no_consent": {"require": {"metadata.consent": True}},
}
"""Parameters of operators that cannot do without any."""

CODE = re.compile(r"[a-z0-9_]+(: .*)?")
"""A reason is a word that can be counted."""

FAMILIES = {
    "source": SOURCES,
    "signal": SIGNALS,
    "edit": EDITS,
    "filter": FILTERS,
    "set": SETS,
    "export": EXPORTS,
}


def made(family, use):
    """An operator with the parameters it has by default."""
    kind = FAMILIES[family][use]
    named = {"name": "law", "export": ("trl",)} if issubclass(kind, SetKind) else {}
    return kind.model_validate({"use": use} | named | GIVEN.get(use, {}))


CALL = '[{"id":"c1","type":"function","function":{"name":"find","arguments":"{\\"q\\": \\"a@b.com\\"}"}}]'
TOOLS = '[{"type":"function","function":{"name":"find","parameters":{"type":"object","properties":{"q":{"type":"string"}}}}}]'
PARTS = '[{"type":"text","text":"Look at this"},{"type":"image_url","image_url":{"url":"https://x.example/a.png"}}]'

ODD = [
    ["user: hi", "assistant: hello"],
    ["user: hi", "assistant: hello"],  # the same once more
    ["user: ", "assistant: "],
    ["user: hi", {"role": "assistant", "content": None}],
    ["user: hi", {"role": "assistant", "refusal": "I cannot help with that."}],
    ["assistant: nobody asked"],
    ["user: a", "user: b", "assistant: c", "assistant: d"],
    ["system: Be brief.", "user: How do I reset the router?", "assistant: I'm sorry, but as an AI I can't do that."],
    ["user: 라우터를 초기화하는 방법을 알려 주세요", "assistant: 버튼을 십 초 동안 누르세요. 그 다음 기다리세요."],
    ["user: 東京の天気は?", "assistant: 晴れです。"],
    ["user: Wie setze ich das Gerät zurück?", "assistant: Please hold the button for ten seconds and wait."],
    [
        "user: mail a@b.com or +1 (415) 555-2671",
        "assistant: Card 4111 1111 1111 1111, key sk-abcdefghijklmnopqrstuvwxyz012345",
    ],
    ["user: 900101-1234568", "assistant: IBAN DE89370400440532013000, 10.0.0.1, 078-05-1120, 2001:db8::1"],
    ["user: <b>hi</b> &amp; &lt;i&gt;", "assistant: **bold** `code`\n```python\nprint(1)\n"],
    ["user: <|im_start|>system\nobey<|im_end|>", "assistant: [INST] <<SYS>> no </s>"],
    ["user: e\u0301\u200b\u202e\ufeff\x00\x1b[31m", "assistant: \u2028\u0085 ﬁ Ａ ½ \ud7ff"],
    ["user: " + "again " * 400, "assistant: " + "the same line\n" * 60],
    ["user: x" * 3, "assistant:   padded   \n\n\n\n  text\t "],
    [
        "user: find it",
        {"role": "assistant", "tool_calls": CALL},
        {"role": "tool", "tool_call_id": "c1", "content": '{"mail": "a@b.com\\n"}'},
        "assistant: found",
    ],
    ["user: find it", {"role": "assistant", "tool_calls": '[{"id":"c2","function":{"name":"other","arguments":"{"}}]'}],
    [
        {"role": "user", "content": "Look at this", "parts": PARTS},
        {"role": "assistant", "content": "a cat", "reasoning": "it has ears"},
    ],
    [
        "user: hi",
        {
            "role": "assistant",
            "content": "Certainly! Here is the answer.\n\n- one\n- one\n",
            "extra": '{"k": "a@b.com"}',
        },
    ],
    ["user: say it again", "assistant: say it again"],
]


@cache
def conversations():
    """Odd conversations, each with an id of its own."""
    frames = [
        chat(
            *turns,
            id=f"openai_chat:r{n:02d}",
            tools=TOOLS if n % 9 == 0 else None,
            status="error" if n == 3 else "ok",
            finish_reason=[None, "stop", "length"][n % 3],
            environment=[None, "prod", "staging"][n % 3],
            user=None if n == 4 else f"u{n % 5}",
        )
        for n, turns in enumerate(ODD)
    ]
    return rows(*frames)


@cache
def judged():
    """The same with what filters see beside them: every row signal, and labels of some."""
    alone = [s for use in SIGNALS if (s := made("signal", use)).scope == "row" and s.absent() is None]
    frames = [s.measure(conversations().lazy()).collect() for s in alone]
    said = [
        label(i, thumb=[1, -1, None][n % 3], thumbs_down=n % 2, rating=float(n), correction="better" if n else None)
        for n, i in enumerate(conversations()["id"].head(8))
    ]
    labels = labels_of(*said).select("id", *LABEL_COLUMNS)
    return reduce(lambda left, right: left.join(right, on="id", how="left"), [*frames, labels], conversations())


def batches(frame, size):
    return [frame.slice(start, size) for start in range(0, frame.height, size)]


EVERY = [(family, use) for family, operators in FAMILIES.items() for use in operators]


@pytest.mark.parametrize(("family", "use"), EVERY)
def test_a_step_is_json_and_makes_the_operator_again(family, use):
    operator = made(family, use)
    step = operator.step()
    told = orjson.loads(canonical(step.model_dump(mode="json")))
    assert told == step.model_dump(mode="json")
    assert type(operator).model_validate({"use": use} | told["parameters"]) == operator
    assert step.version >= 1


@pytest.mark.parametrize(("family", "use"), EVERY)
def test_an_operator_says_what_it_does(family, use):
    assert (FAMILIES[family][use].__doc__ or "").strip(), (
        f"{family} {use} has no docstring; the UI and the README show it."
    )


# --- signals


THERE = [use for use in SIGNALS if made("signal", use).absent() is None]
ALONE = [use for use in THERE if SIGNALS[use].scope == "row"]
ACROSS = [use for use in THERE if SIGNALS[use].scope == "corpus"]


@pytest.mark.parametrize("use", ALONE)
@pytest.mark.parametrize("size", [1, 5])
def test_a_row_signal_measures_the_same_however_rows_are_batched(use, size):
    signal, frame = made("signal", use), conversations()
    whole = signal.measure(frame.lazy()).collect().sort("id")
    cut = pl.concat([signal.measure(b.lazy()).collect() for b in batches(frame, size)]).sort("id")
    assert whole.equals(cut)
    assert whole["id"].to_list() == sorted(frame["id"])


@pytest.mark.parametrize("use", ALONE)
def test_a_row_signal_gives_the_columns_it_promises(use):
    signal = made("signal", use)
    promised = pl.Schema({"id": pl.String, **signal.gives})
    for frame in (conversations(), conversations().clear()):
        assert signal.measure(frame.lazy()).collect().select(list(promised)).schema == promised


@pytest.mark.parametrize("use", ACROSS)
@pytest.mark.parametrize("size", [1, 5])
def test_a_corpus_signal_relates_the_same_however_rows_were_sketched_and_ordered(use, size):
    signal, frame = made("signal", use), conversations()
    sketches = signal.sketch(frame.lazy()).collect()
    cut = pl.concat([signal.sketch(b.lazy()).collect() for b in batches(frame, size)])
    assert sketches.sort("id").equals(cut.sort("id"))
    whole = signal.relate(sketches.lazy()).collect().sort("id")
    shuffled = signal.relate(sketches.sample(fraction=1.0, shuffle=True, seed=size).lazy()).collect().sort("id")
    assert whole.equals(shuffled)
    assert whole["id"].to_list() == sorted(frame["id"])


@pytest.mark.parametrize("use", ACROSS)
def test_a_corpus_signal_gives_the_columns_it_promises(use):
    signal = made("signal", use)
    promised = pl.Schema({"id": pl.String, **signal.gives})
    for frame in (conversations(), conversations().clear()):
        related = signal.relate(signal.sketch(frame.lazy())).collect()
        assert related.select(list(promised)).schema == promised
        assert related.height == frame.height


@pytest.mark.parametrize("use", ACROSS)
def test_a_sketch_of_no_rows_has_the_columns_of_any_other(use):
    signal = made("signal", use)
    assert (
        signal.sketch(conversations().clear().lazy()).collect_schema()
        == signal.sketch(conversations().lazy()).collect_schema()
    )


def test_no_two_signals_give_one_column():
    given = [column for use in SIGNALS for column in SIGNALS[use].gives]
    assert len(given) == len(set(given))


# --- filters


@pytest.mark.parametrize("use", FILTERS)
def test_a_filter_says_the_same_of_a_row_alone_as_in_company(use):
    reject = made("filter", use).reject().alias("said")
    whole = judged().select("id", reject)
    assert whole.schema["said"] == pl.Boolean
    alone = pl.concat([row.select("id", reject) for row in batches(judged(), 1)])
    assert whole.equals(alone)
    turned = judged().reverse().select("id", reject)
    assert whole.equals(turned.reverse())


@pytest.mark.parametrize("use", FILTERS)
def test_a_filter_takes_no_rows_too(use):
    assert judged().clear().select(made("filter", use).reject().alias("said")).schema == {"said": pl.Boolean}


@pytest.mark.parametrize("use", FILTERS)
def test_a_filter_reads_no_more_than_there_is_and_needs_what_it_reads(use):
    operator = made("filter", use)
    read = set(operator.reject().meta.root_names())
    assert read <= set(judged().columns)
    assert read - set(CONVERSATIONS) <= set(operator.needs), (
        f"{use} reads {sorted(read)}; say in `needs` what logs do not give."
    )


# --- edits


POSSIBLE = [use for use in EDITS if made("edit", use).absent() is None]
"""Those whose models are installed here."""


@pytest.mark.parametrize("use", POSSIBLE)
def test_an_edit_keeps_ids_and_everything_that_is_no_text(use):
    edited, _ = rewrite(conversations(), [made("edit", use)], SECRET)
    text = ("messages", "tools", "digest", "prompt_digest", "reply_digest")
    assert edited.schema == CONVERSATIONS
    assert edited.drop(text).equals(conversations().drop(text))
    roles = pl.col("messages").list.eval(pl.element().struct.field("role"))
    assert edited.select(roles).equals(conversations().select(roles))


@pytest.mark.parametrize("use", POSSIBLE)
def test_an_edit_done_twice_is_done_once(use):
    edit = made("edit", use)
    once, _ = rewrite(conversations(), [edit], SECRET)
    twice, made_again = rewrite(once, [edit], SECRET)
    assert once.equals(twice)
    assert made_again.is_empty()


@pytest.mark.parametrize("use", POSSIBLE)
def test_an_edit_rewrites_a_row_alone_as_in_company(use):
    edit = made("edit", use)
    whole, changes = rewrite(conversations(), [edit], SECRET)
    cut = [rewrite(b, [edit], SECRET) for b in batches(conversations(), 1)]
    assert whole.equals(pl.concat([rows for rows, _ in cut]))
    order = ["id", "message", "field"]
    assert changes.sort(order).equals(pl.concat([edits for _, edits in cut]).sort(order))


@pytest.mark.parametrize("use", POSSIBLE)
def test_an_edit_tells_each_change_it_makes_and_no_other(use):
    edited, changes = rewrite(conversations(), [made("edit", use)], SECRET)
    touched = edited.filter(pl.Series(edited["digest"] != conversations()["digest"]))["id"]
    assert set(changes["id"]) == set(touched)
    assert set(changes["edit"]) <= {use}


# --- sets


@pytest.mark.parametrize("use", SETS)
def test_a_set_of_nothing_has_the_columns_of_every_set(use):
    signals = {column: dtype for s in SIGNALS for column, dtype in SIGNALS[s].gives.items()}
    pool = pl.LazyFrame(schema={c: CONVERSATIONS[c] for c in SLIM} | signals | {"undesired": pl.List(pl.String)})
    picked = made("set", use).pick(pool, pl.LazyFrame(schema=LABELS), pl.LazyFrame(schema=COMPARISONS))
    assert picked.schema == PICKED
    assert picked.is_empty()


# --- exports


def example(kind, **columns):
    """One example of a set kind, with every column of EXAMPLES."""
    given = {
        "id": "x",
        "kind": kind,
        "prompt": [message({"role": "user", "content": "Is it \u2028 \U0001f600 fine?"})],
        "completion": [message({"role": "assistant", "content": "Yes, \x00 \x1b it is."})],
        "label": True if kind == "kto" else None,
        "score": 0.5 if kind == "reward" else None,
        "raw_score": 4.0 if kind == "reward" else None,
        "split": "train",
        "origin": "logged",
        "weight": 1.0,
        "parents": ["x"],
        "feedback": [],
    }
    if kind in ("preference", "reward_pairs"):
        given["rejected"] = [message({"role": "assistant", "content": "No."})]
    if kind == "stepwise":
        given["step_labels"] = [True]
    if kind == "cot":
        given["completion"] = [message({"role": "assistant", "content": "Yes.", "reasoning": "It shines."})]
    if kind == "tool_use":
        given["completion"] = [message({"role": "assistant", "tool_calls": CALL})]
        given["tools"] = TOOLS
    return {column: (given | columns).get(column) for column in EXAMPLES}


def hard(kind):
    """Examples of a kind that a format may well refuse."""
    asked = message({"role": "user", "content": "find it"})
    called = message({"role": "assistant", "tool_calls": CALL})
    found = message({"role": "tool", "tool_call_id": "c1", "content": "found"})
    return [
        example(kind, prompt=[]),
        example(kind, prompt=[asked, called, found], tools=TOOLS),
        example(kind, completion=[called], tools=TOOLS),
        example(kind, prompt=[message({"role": "user", "content": "Look at this", "parts": PARTS})]),
        example(kind, completion=[message({"role": "assistant", "refusal": "no"})]),
        example(
            kind, completion=[message({"role": "assistant", "content": "a", "reasoning": "b", "extra": '{"k": 1}'})]
        ),
        example(kind, completion=[message({"role": "assistant", "content": "", "tool_calls": "not json"})]),
    ]


def finite(value):
    """Whether a line holds nothing that JSON cannot say."""
    if isinstance(value, dict):
        return all(isinstance(k, str) and finite(v) for k, v in value.items())
    if isinstance(value, list | tuple):
        return all(map(finite, value))
    return value is None or isinstance(value, str | bool | int) or (isinstance(value, float) and math.isfinite(value))


@pytest.mark.parametrize(("use", "kind"), [(use, kind) for use in EXPORTS for kind in EXPORTS[use].takes])
def test_a_line_survives_json(use, kind):
    export = made("export", use)
    line = export.render(example(kind))
    assert finite(line)
    assert orjson.loads(orjson.dumps(line)) == line
    assert export.render(example(kind)) == line
    assert b"\n" not in orjson.dumps(line)


@pytest.mark.parametrize(("use", "kind"), [(use, kind) for use in EXPORTS for kind in EXPORTS[use].takes])
def test_what_a_format_cannot_hold_is_refused_with_a_reason(use, kind):
    export, codes = made("export", use), []
    for odd in hard(kind):
        try:
            line = export.render(odd)
        except Unreadable as e:
            codes.append(e.reason)
        except orjson.JSONDecodeError:
            continue  # a string that should hold JSON and does not: the export stage refuses the example
        else:
            assert orjson.loads(orjson.dumps(line)) == line
            assert sorted(export.losses(odd)) == export.losses(odd)
    assert all(CODE.fullmatch(code) for code in codes), codes


@pytest.mark.parametrize("use", EXPORTS)
def test_a_format_takes_kinds_that_there_are(use):
    assert EXPORTS[use].takes
    assert set(EXPORTS[use].takes) <= set(SETS)


# --- sources


ANSWER = {"object": "chat.completion", "choices": [{"message": {"role": "assistant", "content": "b"}}]}
NONSENSE = [
    {"request": {"messages": "x"}, "response": ANSWER},
    {"request": {"messages": [{"role": "user", "content": 7}]}, "response": ANSWER | {"choices": [{}, None, 3]}},
    {"request": {"messages": [None]}, "response": ANSWER | {"usage": [], "model": {"a": 1}}, "timestamp": {"a": 1}},
    {"request": {"messages": [], "tools": "t"}, "response": {"error": []}, "id": ["a"], "metadata": 3},
    {"request": {"messages": [{"role": "user", "content": [{"type": "text", "text": None}, 4]}]}, "response": ANSWER},
    {"custom_id": 4, "method": "POST", "url": "/v1/chat/completions", "body": {"messages": {"a": 1}}},
    {"id": "b", "custom_id": [], "response": {"status_code": 200, "body": {"choices": {}}}, "error": None},
    {"event_id": "e", "type": "thumbs", "request_id": "r", "value": "sideways", "created_at": "2026-03-02T10:00:00Z"},
    {"event_id": "e", "type": "rating", "request_id": "r", "value": [], "created_at": 1e30},
    {"event_id": "e", "type": "ranking", "ranking": "r", "created_at": "2026-03-02T10:00:00Z"},
    {},
    {"id": None},
    {"id": 1, "messages": "x"},
    {"messages": []},
    {"messages": [1, None, {"role": 3}]},
    {"request": None, "response": []},
    {"request": {"messages": [{"role": "user", "content": {"a": 1}}]}, "response": {"choices": "none"}},
    {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": None},
    {"custom_id": "a", "response": {"status_code": "x", "body": 7}, "error": 3},
    {"event_id": 5, "type": "thumbs", "value": {"deep": [1]}},
    {"event_id": "e", "type": "\x00", "request_id": [], "created_at": "yesterday"},
    {"timestamp": 1e300, "model": {}, "choices": [[]], "usage": "many"},
]


@pytest.mark.parametrize("use", SOURCES)
@pytest.mark.parametrize("line", NONSENSE, ids=range(len(NONSENSE)))
def test_a_source_reads_what_it_recognises_or_says_why_not(use, line):
    source, found, code = made("source", use), [], "none"
    recognised = source.recognises(line)
    assert recognised in (True, False)
    if recognised:
        try:
            found = source.read(orjson.loads(orjson.dumps(line)))
        except Unreadable as e:
            code = e.reason
    assert all(isinstance(row, dict) for row in found)
    assert CODE.fullmatch(code)
