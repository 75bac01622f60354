"""Near duplicates against a brute-force comparison of every pair, written without the code under test."""

import gzip
import random
import re
import time
from collections import Counter, defaultdict
from itertools import combinations
from pathlib import Path

import orjson
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flywheel.duplicates import alike
from flywheel.duplicates.shingles import Sets
from flywheel.signals import near_duplicate
from flywheel.signals.exact_duplicate import ExactDuplicate
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


def to_the_named(sets: dict[str, frozenset[tuple[str, ...]]], group: dict[str, str]) -> dict[str, float | None]:
    """Of each row the similarity to the one that names its group; of that one to the nearest; none where it is alone."""
    best: dict[str, float] = {}
    for id, name in group.items():
        if id != name:
            best[id] = len(sets[id] & sets[name]) / len(sets[id] | sets[name])
            best[name] = max(best.get(name, 0.0), best[id])
    return {id: best.get(id) for id in sets}


def brute_force(texts: dict[str, str], threshold: float) -> dict[str, tuple[str, float | None]]:
    sets = {id: shingles(text) for id, text in texts.items()}
    group = {id: id for id in texts}
    for a, b in combinations(sorted(texts), 2):
        union = len(sets[a] | sets[b])
        if union and len(sets[a] & sets[b]) / union >= threshold:
            low, high = sorted((group[a], group[b]))
            group = {id: low if g == high else g for id, g in group.items()}
    best = to_the_named(sets, group)
    return {id: (group[id], best[id]) for id in texts}


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
    assert Sets.read(sketch["shingles"]).values.tolist() == [2320718354, 2466236366]
    assert sketch["keys"].to_list()[0][:2] == [3296886719, 1740264351]


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


def said(texts: dict[str, str]) -> pl.DataFrame:
    """A row for each id and reply."""
    one = chat("user: q", "assistant: x")
    asked = one["messages"].to_list()[0]
    messages = [[asked[0], asked[1] | {"content": t}] for t in texts.values()]
    return pl.DataFrame(
        {"id": list(texts), "messages": pl.Series(messages, dtype=one.schema["messages"])},
        schema_overrides={"id": pl.String},
    )


def joined_exactly(texts: dict[str, str], threshold: float) -> dict[str, tuple[str, float | None]]:
    """Groups and similarities of an exact join: over an index of every shingle, without any key."""
    sets = {id: shingles(text) for id, text in texts.items()}
    index: dict[tuple[str, ...], list[str]] = defaultdict(list)
    above = {id: id for id in texts}

    def top(id: str) -> str:
        while above[id] != id:
            id = above[id]
        return id

    for id in sorted(sets):
        shared = Counter(other for shingle in sets[id] for other in index[shingle])
        for other, count in shared.items():
            similarity = count / (len(sets[id]) + len(sets[other]) - count)
            if similarity >= threshold:
                low, high = sorted((top(id), top(other)))
                above[high] = low
        for shingle in sets[id]:
            index[shingle].append(id)
    best = to_the_named(sets, {id: top(id) for id in texts})
    return {id: (top(id), best[id]) for id in texts}


def corpus(size: int, chance: random.Random) -> dict[str, str]:
    """English, Korean and mixed texts of all lengths, templates among them; a third are copies with edits."""
    words = [f"word{n}" for n in range(500)]
    korean = [chr(0xAC00 + n) for n in range(300)]
    templates = [chance.choices(words, k=80) for _ in range(3)]
    texts: list[list[str]] = []
    for _ in range(size):
        if texts and chance.random() < 0.33:
            text = list(chance.choice(texts))
            for _ in range(chance.randint(0, 1 + len(text) // 15)):
                text[chance.randrange(len(text))] = chance.choice(words)
        else:
            pool = chance.choice([words, words, korean, words + korean])
            text = chance.choices(pool, k=chance.choice([1, 3, 6, 12, 30, 90, 250]))
            if chance.random() < 0.15:
                text = chance.choice(templates) + text[:12]
        texts.append(text)
    return {f"s:{n:05}": " ".join(t) for n, t in enumerate(texts)}


@pytest.mark.parametrize("threshold", [0.7, 0.8, 0.95])
def test_groups_are_those_of_an_exact_join_of_all_pairs(threshold):
    texts = corpus(2500, random.Random(11))
    expected = joined_exactly({id: f"q\n{t}" for id, t in texts.items()}, threshold)
    actual = found(said(texts), NearDuplicate(threshold=threshold))
    assert {id: g for id, (g, _) in actual.items()} == {id: g for id, (g, _) in expected.items()}
    assert {id: s for id, (_, s) in actual.items()} == pytest.approx({id: s for id, (_, s) in expected.items()})
    assert 500 < len({g for g, _ in actual.values()}) < len(texts)


def day_by_day(days: list[pl.DataFrame], signal: NearDuplicate) -> dict[str, tuple[str, float | None]]:
    """What comes out when each day is matched against the days before it, as the stage does."""
    sketches = [signal.sketch(d.lazy()).collect().lazy() for d in days]
    edges = [signal.match(s, sketches[:n]).edges for n, s in enumerate(sketches)]
    folded = signal.fold(pl.concat(sketches), pl.concat(edges).lazy()).collect()
    return {id: (group, similarity) for id, group, similarity in folded.rows()}


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(VOCABULARY, st.integers(0, 3), st.sampled_from(["", "system: a"])), min_size=1, max_size=10),
    st.sampled_from(
        [NearDuplicate(), NearDuplicate(threshold=0.5, ngram=2), NearDuplicate(across_system_prompts=True)]
    ),
)
def test_any_split_into_days_gives_the_same(texts, signal):
    frames = [
        (day, chat(*filter(None, [system]), "user: q", {"role": "assistant", "content": t}, id=f"s:{n}"))
        for n, (t, day, system) in enumerate(texts)
    ]
    days = [rows(*same) for d in range(4) if (same := [f for day, f in frames if day == d])]
    assert day_by_day(days, signal) == found(rows(*[f for _, f in frames]), signal)


def test_one_more_day_of_a_larger_corpus_gives_the_same():
    frame = said(corpus(1500, random.Random(2))).sample(fraction=1.0, shuffle=True, seed=4)
    whole = found(frame)
    assert day_by_day([frame[:1485], frame[1485:]], NearDuplicate()) == whole
    assert day_by_day([frame[:200], frame[200:900], frame[900:]], NearDuplicate()) == whole


def test_row_138_a_skewed_table_keeps_one_of_each():
    table = {1: "red", 2: "green", 3: "red", 4: "red", 5: "green"}
    items = {1: "pencil", 2: "compass", 3: "pencil", 4: "pencil", 5: "pencil"}
    price = {1: 20, 2: 2, 3: 20, 4: 20, 5: 1}
    frame = rows(
        *(
            chat(f'user: {{"item": "{items[n]}", "color": "{c}"}}', f"assistant: ${price[n]}", id=f"s:{n}")
            for n, c in table.items()
        )
    )
    groups = found(frame)
    assert [g for g, _ in groups.values()] == ["s:1", "s:2", "s:1", "s:1", "s:5"]
    kept = [n for n in table if groups[f"s:{n}"][0] == f"s:{n}"]
    assert kept == [1, 2, 5]
    assert list(table.values()).count("red") / 5 == 0.6
    assert [table[n] for n in kept].count("red") / 3 == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("[apple, banana, cherry]", "[cherry, banana, apple]"),
        ('["red wine", "blue cheese", "bread"]', '["bread", "red wine", "blue cheese"]'),
        ("- apple\n- banana\n- cherry", "* Cherry\n* banana\n* apple"),
        ("1. wash it\n2. dry it\n3. fold it.", "1. fold it\n2. dry it\n3. wash it."),
        ("사과, 배, 감", "감, 배, 사과"),
    ],
)
def test_row_141_the_order_of_a_list_counts_unless_told_otherwise(one, other):
    frame = rows(chat("user: q", f"assistant: {one}", id="s:1"), chat("user: q", f"assistant: {other}", id="s:2"))
    assert found(frame)["s:2"] == ("s:2", None)
    assert found(frame, NearDuplicate(order_free=True))["s:2"] == ("s:1", 1.0)


def test_row_141_a_list_of_other_items_is_another_list():
    frame = rows(
        chat("user: q", "assistant: [apple, banana, cherry]", id="s:1"),
        chat("user: q", "assistant: [apple, banana, plum]", id="s:2"),
    )
    assert found(frame, NearDuplicate(order_free=True))["s:2"] == ("s:2", None)


@pytest.mark.parametrize(("threshold", "together"), [(1.0, False), (0.8, True)])
def test_row_141_exact_or_eighty_percent(threshold, together):
    frame = rows(
        chat("user: hi", f"assistant: {LONG}", id="s:1"), chat("user: hi", f"assistant: {LONG} more", id="s:2")
    )
    assert (found(frame, NearDuplicate(threshold=threshold))["s:2"][0] == "s:1") == together


PAIRS = {
    "exact": ("Take the second left after the bridge.", "Take the second left after the bridge."),
    "n-gram": (LONG, LONG.upper() + "!!"),
    "fuzzy": (LONG, LONG.replace("word3 ", "other ")),
    "none": (LONG, " ".join(f"elsewhere{n}" for n in range(60))),
}


@pytest.mark.parametrize(
    ("kind", "exact", "same_shingles", "fuzzy"),
    [
        ("exact", True, True, True),
        ("n-gram", False, True, True),
        ("fuzzy", False, False, True),
        ("none", False, False, False),
    ],
)
def test_row_142_each_kind_of_duplicate_is_found_by_its_method(kind, exact, same_shingles, fuzzy):
    one, other = PAIRS[kind]
    frame = rows(chat("user: q", f"assistant: {one}", id="s:1"), chat("user: q", f"assistant: {other}", id="s:2"))
    twins = ExactDuplicate().relate(ExactDuplicate().sketch(frame.lazy())).collect()["exact_group"].to_list()
    assert (twins[0] == twins[1]) == exact
    group, similarity = found(frame, NearDuplicate(threshold=1.0))["s:2"]
    assert (group == "s:1", similarity) == (same_shingles, 1.0 if same_shingles else None)
    group, similarity = found(frame)["s:2"]
    assert (group == "s:1") == fuzzy
    assert (similarity or 0) >= 0.8 or not fuzzy


@pytest.mark.slow
def test_row_143_planted_duplicates_are_found_in_a_hundred_thousand_rows():
    chance = random.Random(8)
    vocabulary = [f"w{n}" for n in range(3000)]
    old = {f"a:{n:06}": " ".join(chance.choices(vocabulary, k=40)) for n in range(99_500)}
    new = {}
    for n, at in enumerate(chance.sample(range(len(old)), 500)):
        words = old[f"a:{at:06}"].split(" ")
        words[-chance.randint(1, 4)] = "changed"
        new[f"z:{n:03}"] = (f"a:{at:06}", " ".join(words))
    planted = {
        id: at
        for id, (at, t) in new.items()
        if (x := shingles("q\n" + t)) and (y := shingles("q\n" + old[at])) and len(x & y) / len(x | y) >= 0.8
    }
    found = day_by_day([said(old), said({id: t for id, (_, t) in new.items()})], NearDuplicate(threshold=0.75))
    recalled = [id for id, at in planted.items() if found[id][0] == at]  # the matched old id
    assert len(planted) == 500
    assert len(recalled) / len(planted) >= 0.95
    assert sum(g != id for id, (g, _) in found.items()) <= 500


@pytest.mark.parametrize(
    ("of", "together"), [("exchange", ["s:1", "s:2"]), ("record", ["s:1"]), ("reply", ["s:1", "s:2", "s:3"])]
)
def test_what_is_compared(of, together):
    frame = rows(
        chat("user: before this", "assistant: yes", "user: hi", f"assistant: {LONG}", id="s:1"),
        chat("user: " + LONG[::-1], "assistant: no", "user: hi", f"assistant: {LONG}", id="s:2"),
        chat("user: " + LONG[::-1], f"assistant: {LONG}", id="s:3"),
    )
    groups = found(frame, NearDuplicate(of=of))
    assert [id for id, (g, _) in groups.items() if g == "s:1"] == together


def test_a_record_is_all_messages_but_system_prompts():
    turns = [f"user: {LONG}", "assistant: yes", "user: and", "assistant: no"]
    frame = rows(
        chat(f"system: {LONG[::-1]}", *turns, id="s:1"),
        chat("system: short", *turns, id="s:2"),
        chat("system: short", *turns[:-1], f"assistant: {LONG[::-1]}", id="s:3"),
    )
    signal = NearDuplicate(of="record", across_system_prompts=True)
    assert [g for g, _ in found(frame, signal).values()] == ["s:1", "s:1", "s:3"]


def test_more_bands_than_permutations_are_refused():
    with pytest.raises(ValueError, match="give at least as many permutations"):
        NearDuplicate(bands=64, permutations=32)


def test_what_was_done_is_counted():
    frame = pl.concat([chat("user: hi", f"assistant: {LONG} number {n}", id=f"s:{n:04}") for n in range(300)])
    signal = NearDuplicate()
    matched = signal.match(signal.sketch(frame.lazy()), [])
    assert 299 <= matched.pairs == matched.verified <= matched.candidates < 600
    assert matched.edges.height == matched.pairs
    assert 250 < matched.largest_bucket <= 300
    assert matched.edges.schema == pl.Schema(signal.edges)


def template(values: int) -> list[str]:
    """The words of a template, which is 60 words and the given number of `{}`, each apart from the others."""
    gap = 60 // values
    return [w for n in range(60) for w in ([f"word{n}", "{}"] if n % gap == 0 and n // gap < values else [f"word{n}"])]


def filled(values: int, count: int, chance: random.Random, names: int) -> list[str]:
    """The template with a name in each place, for each of `count` texts."""
    return [
        " ".join(f"name{chance.randrange(names)}" if w == "{}" else w for w in template(values)) for _ in range(count)
    ]


@pytest.mark.parametrize("names", [3, 12, 100_000])
@pytest.mark.parametrize("values", [1, 2, 6])
def test_templates_on_either_side_of_the_threshold_are_joined_exactly(monkeypatch, values, names):
    """By few partners and by rarest hashes, on one day and on three."""
    chance = random.Random(values * names)
    texts = {f"s:{n:04}": t for n, t in enumerate(filled(values, 240, chance, names))}
    expected = joined_exactly({id: f"q\n{t}" for id, t in texts.items()}, 0.8)
    frame = said(texts).sample(fraction=1.0, shuffle=True, seed=1)
    for crowd in (64, 2, 0):
        monkeypatch.setattr(alike, "CROWD", crowd)
        for actual in (found(frame), day_by_day([frame[:100], frame[100:110], frame[110:]], NearDuplicate())):
            assert {id: g for id, (g, _) in actual.items()} == {id: g for id, (g, _) in expected.items()}
            assert {id: s for id, (_, s) in actual.items()} == pytest.approx({i: s for i, (_, s) in expected.items()})


def test_similarity_is_to_the_row_that_names_the_group_however_the_documents_are_read(monkeypatch):
    chain = [" ".join(f"word{n}" for n in range(shift, shift + 60)) for shift in (0, 4, 8, 12)]
    texts = {f"s:{n}": t for n, t in enumerate([*chain, chain[3], "alone and apart from all others"])}
    sets = {id: shingles(f"q\n{t}") for id, t in texts.items()}
    expected = {id: len(sets["s:0"] & sets[id]) / len(sets["s:0"] | sets[id]) for id in list(texts)[1:5]}
    monkeypatch.setattr(near_duplicate, "DOCUMENTS", 1)
    told = found(said(texts))
    assert {id: s for id, (_, s) in told.items()} == expected | {"s:0": expected["s:1"], "s:5": None}
    assert expected["s:3"] == expected["s:4"] < 0.8 < expected["s:1"]


@pytest.mark.slow
def test_a_hundred_thousand_distinct_near_copies_are_quick():
    """20 of about 300 words of each are its own."""
    words = [f"word{n}" for n in range(280)]
    texts = [" ".join([*words[:90], *(f"a{n}b{k}" for k in range(20)), *words[90:]]) for n in range(100_000)]
    sketches = NearDuplicate().sketch(said({f"s:{n:06}": t for n, t in enumerate(texts)}).lazy()).collect()
    began = time.process_time()
    groups = NearDuplicate().relate(sketches.lazy()).collect()
    assert time.process_time() - began < 60
    assert set(groups["near_group"]) == {"s:000000"}
