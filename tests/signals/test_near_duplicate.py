"""Near duplicates against a brute-force comparison of every pair, written without the code under test."""

import gzip
import random
import re
import time
from itertools import combinations
from pathlib import Path

import orjson
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flywheel.signals.near_duplicate import NearDuplicate
from tests.build import chat, rows

SAMPLE = Path(__file__).parents[2] / "flywheel" / "sample" / "logs"


def found(frame: pl.DataFrame, signal: NearDuplicate | None = None) -> dict[str, tuple[str, float | None]]:
    signal = signal or NearDuplicate()
    related = signal.relate(signal.sketch(frame.lazy())).collect()
    return {id: (group, similarity) for id, group, similarity in related.rows()}


def shingles(text: str) -> frozenset[tuple[str, ...]]:
    cjk = "\u1100-\u11ff\u3041-\u30ff\u3131-\u318e\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3"
    # Letters of other scripts and ASCII letters may stand in one word.
    words = []
    for run in re.split(
        r"[\x00-\x2f\x3a-\x40\x5b-\x60\x7b-\xbf\u2000-\u206f\u3000-\u303f\uff00-\uff0f\uff1a-\uff20]+", text.lower()
    ):
        words += [w for w in re.split(rf"([{cjk}])", run) if w]
    if len(words) < 5:
        return frozenset([tuple(words)] if words else [])
    return frozenset(tuple(words[i : i + 5]) for i in range(len(words) - 4))


def brute_force(texts: dict[str, str], threshold: float) -> dict[str, tuple[str, float | None]]:
    sets = {id: shingles(text) for id, text in texts.items()}
    group, best = {id: id for id in texts}, dict.fromkeys(texts, 0.0)
    for a, b in combinations(sorted(texts), 2):
        union = len(sets[a] | sets[b])
        similarity = len(sets[a] & sets[b]) / union if union else 0.0
        if similarity >= threshold:
            best[a], best[b] = max(best[a], similarity), max(best[b], similarity)
            low, high = sorted((group[a], group[b]))
            group = {id: low if g == high else g for id, g in group.items()}
    return {id: (group[id], best[id] or None) for id in texts}


def edited(text: str, chance: random.Random) -> str:
    """The text with a few words changed, dropped or added, and its case and spaces."""
    words = text.split(" ")
    for _ in range(chance.randint(0, 1 + len(words) // 20)):
        at = chance.randrange(len(words))
        words[at : at + 1] = chance.choice([[], ["changed"], [words[at], "added"]])
    return chance.choice([" ", "  "]).join(words).replace("the", chance.choice(["the", "THE"]))


def real_texts(wanted: int) -> list[str]:
    texts: set[str] = set()
    for file in sorted(SAMPLE.glob("*.jsonl.gz")):
        for line in gzip.decompress(file.read_bytes()).split(b"\n"):
            try:
                texts.add(orjson.loads(line)["response"]["choices"][0]["message"]["content"] or "")
            except (orjson.JSONDecodeError, KeyError, TypeError):
                continue
    return sorted(t for t in texts if t.strip())[:: max(1, len(texts) // wanted)][:wanted]


def generated_texts(wanted: int) -> list[str]:
    chance = random.Random(5)
    words = [f"w{n}" for n in range(400)]
    return [" ".join(chance.choices(words, k=chance.choice([2, 4, 8, 20, 60, 200]))) for _ in range(wanted)]


@pytest.mark.parametrize("source", [real_texts, generated_texts])
def test_recall_and_precision_are_one(source):
    chance = random.Random(3)
    originals = source(250)
    if not originals:
        pytest.skip("there are no sample logs")
    texts = {
        f"s:{n:04}": t for n, t in enumerate(originals + [edited(chance.choice(originals), chance) for _ in range(250)])
    }
    frame = rows(*[chat("user: q", {"role": "assistant", "content": t}, id=id) for id, t in texts.items()])
    expected = brute_force({id: f"q\n{t}" for id, t in texts.items()}, 0.8)
    actual = found(frame)
    assert {id: g for id, (g, _) in actual.items()} == {id: g for id, (g, _) in expected.items()}
    assert {id: s for id, (_, s) in actual.items()} == pytest.approx({id: s for id, (_, s) in expected.items()})
    assert len({g for g, _ in actual.values()}) < len(texts)


LONG = " ".join(f"word{n}" for n in range(60))


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        (["user: hi", f"assistant: {LONG}"], ["user: hi", f"assistant: {LONG.upper()}!"], True),
        (["user: hi", f"assistant: {LONG}"], ["user: hi", f"assistant: {LONG} more"], True),
        (
            ["user: hi", f"assistant: {LONG}"],
            ["user: hi", f"assistant: {LONG.replace('word30', 'x').replace('word10', 'y').replace('word50', 'z')}"],
            False,
        ),
        (["system: a", "user: hi", f"assistant: {LONG}"], ["system: b", "user: hi", f"assistant: {LONG}"], False),
        (["user: yes", "assistant: ok"], ["user: Yes!", "assistant: OK."], True),
        (["user: yes", "assistant: ok"], ["user: no", "assistant: ok"], False),
        (["user: ", "assistant: "], ["user: ", "assistant: "], False),
        (["user: ?", "assistant: !"], ["user: !", "assistant: ?"], False),
        (
            ["user: 안녕하세요 반갑습니다 오늘도", "assistant: 네 저도 반갑습니다"],
            ["user: 안녕하세요! 반갑습니다, 오늘도", "assistant: 네, 저도 반갑습니다."],
            True,
        ),
        (["user: 김치찌개 끓이는 법", "assistant: 네"], ["user: 된장찌개 끓이는 법", "assistant: 네"], False),
    ],
)
def test_pairs(one, other, together):
    groups = found(rows(chat(*one, id="s:1"), chat(*other, id="s:2")))
    assert (groups["s:1"][0] == groups["s:2"][0]) == together
    assert (groups["s:1"][1] is None) == (not together)


def test_tool_calls_are_part_of_the_text_and_history_is_not():
    def call(city: str) -> dict[str, str]:
        return {
            "role": "assistant",
            "tool_calls": f'[{{"function":{{"name":"weather","arguments":"{{\\"city\\":\\"{city}\\"}}"}}}}]',
        }

    groups = found(
        rows(
            chat("user: go", call("Seoul"), id="s:1"),
            chat("user: go", call("Busan"), id="s:2"),
            chat("user: hello", "assistant: hi", "user: go", call("Seoul"), id="s:3"),
        )
    )
    assert [g for g, _ in groups.values()] == ["s:1", "s:2", "s:1"]


def test_across_system_prompts():
    frame = rows(*[chat(f"system: {n}", "user: hi", f"assistant: {LONG}", id=f"s:{n}") for n in range(3)])
    assert {g for g, _ in found(frame, NearDuplicate(across_system_prompts=True)).values()} == {"s:0"}


def test_a_chain_is_one_group_named_by_its_smallest_id():
    chain = [" ".join(f"word{n}" for n in range(shift, shift + 60)) for shift in (0, 4, 8, 12)]
    frame = rows(*[chat("user: hi", f"assistant: {t}", id=f"s:{9 - n}") for n, t in enumerate(chain)])
    assert {g for g, _ in found(frame).values()} == {"s:6"}


VOCABULARY = st.lists(st.sampled_from(["a", "b", "c", "가", "나"]), min_size=0, max_size=12).map(" ".join)


@settings(max_examples=40, deadline=None)
@given(st.lists(VOCABULARY, min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(texts, chance):
    frames = [chat("user: q", {"role": "assistant", "content": t}, id=f"s:{n}") for n, t in enumerate(texts)]
    expected = found(rows(*frames))
    chance.shuffle(frames)
    assert found(rows(*frames)) == expected


@settings(max_examples=40, deadline=None)
@given(st.lists(VOCABULARY, min_size=2, max_size=8))
def test_sketches_may_be_made_a_day_at_a_time(texts):
    signal = NearDuplicate()
    frames = [chat("user: q", {"role": "assistant", "content": t}, id=f"s:{n}") for n, t in enumerate(texts)]
    apart = pl.concat([signal.sketch(f.lazy()).collect() for f in frames])
    assert apart.equals(signal.sketch(rows(*frames).lazy()).collect())


def test_the_hashes_are_the_same_for_ever():
    sketch = NearDuplicate().sketch(chat("user: one two three", "assistant: four five six").lazy()).collect()
    assert sketch["shingles"].to_list() == [[688869533, 2927960139]]
    assert sketch["keys"].to_list()[0][:2] == [13931041652298362653, 6519686550037949037]


def test_thousands_of_copies_are_quick():
    one = chat("user: hi", f"assistant: {LONG}")
    ids = pl.Series([f"s:{n:05}" for n in range(5000)])
    frame = pl.concat([one] * 5000).with_columns(id=ids)
    began = time.perf_counter()
    groups = found(frame)
    assert time.perf_counter() - began < 5
    assert set(groups.values()) == {("s:00000", 1.0)}


def test_a_bucket_of_near_copies_is_compared_whole():
    frame = pl.concat([chat("user: hi", f"assistant: {LONG} number {n}", id=f"s:{n:04}") for n in range(600)])
    groups = found(frame)
    assert {g for g, _ in groups.values()} == {"s:0000"}
    assert min(s for _, s in groups.values() if s) > 0.9


def test_no_rows():
    assert found(chat("user: a", "assistant: b").head(0)) == {}


def test_two_rows_are_compared_with_each_other_and_not_with_their_group():
    """a ~ b ~ c joins all three; a and c are less alike than either is to b, and that is what is said."""
    words = [f"w{i}" for i in range(40)]
    texts = {"l:a": words, "l:b": [*words[3:], "x"], "l:c": [*words[6:], "x", "y"], "l:empty": []}
    signal = NearDuplicate()
    sketches = signal.sketch(
        rows(*(chat("user: ", f"assistant: {' '.join(t)}", id=i) for i, t in texts.items())).lazy()
    )
    pairs = pl.DataFrame({"id": ["l:c", "l:b", "l:empty"], "instead": ["l:a", "l:a", "l:a"]})
    measured = dict(signal.compare(sketches, pairs).rows())
    sets = {i: shingles(" ".join(t)) for i, t in texts.items()}
    expected = {i: len(sets[i] & sets["l:a"]) / len(sets[i] | sets["l:a"]) for i in ("l:b", "l:c")}
    assert measured == pytest.approx(expected)
    assert measured["l:c"] < measured["l:b"]
