import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flywheel.signals import semantic_duplicate
from flywheel.signals.exact_duplicate import ExactDuplicate
from flywheel.signals.near_duplicate import NearDuplicate
from flywheel.signals.semantic_duplicate import SemanticDuplicate
from flywheel.stages.curate import chained, choose
from flywheel.stages.measure import measure, relate
from flywheel.storage.snapshots import Store
from flywheel.vectors import cosine
from flywheel.vectors.embeddings import Embedder
from tests.build import chat, rows
from tests.stages.test_measure import published

MINILM = pytest.mark.skipif(bool(why := Embedder("minilm").absent()), reason=str(why))
E5 = pytest.mark.skipif(bool(why := Embedder("e5").absent()), reason=str(why))

ASKED = "How can I reset the password of my online banking account?"
REWORDED = "What do I need to do to set a new password for my online bank account?"
SEA = "Write a short poem about the sea in autumn."


def related(signal, *frames):
    return signal.relate(signal.sketch(rows(*frames).lazy())).collect().sort("id")


def groups(signal, *frames):
    return dict(related(signal, *frames).select("id", "semantic_group").rows())


def test_a_light_edit_is_joined_and_another_text_is_not():
    found = related(
        SemanticDuplicate(),
        chat(f"user: {ASKED}", "assistant: Open the settings and choose security.", id="s:b"),
        chat(f"user: {ASKED[:-1]}", "assistant: Open the settings, and choose Security", id="s:a"),
        chat(f"user: {SEA}", "assistant: Grey waves, falling leaves.", id="s:c"),
        chat("user: ", {"role": "assistant", "content": None}, id="s:d"),
        chat("user: ", {"role": "assistant", "content": None}, id="s:e"),
    )
    assert found["semantic_group"].to_list() == ["s:a", "s:a", "s:c", "s:d", "s:e"]
    likeness = found["semantic_similarity"].to_list()
    assert likeness[0] == likeness[1] >= 0.9
    assert likeness[2:] == [None, None, None]


def test_korean_is_joined_by_what_it_says():
    found = groups(
        SemanticDuplicate(),
        chat("user: 인터넷 뱅킹 비밀번호를 어떻게 재설정하나요?", "assistant: 설정에서 보안을 눌러 주세요.", id="s:a"),
        chat("user: 인터넷 뱅킹 비밀번호를 어떻게 재설정하나요", "assistant: 설정에서 보안을 눌러 주세요!", id="s:b"),
        chat("user: 김치찌개를 어떻게 끓이나요?", "assistant: 김치를 볶다가 물을 부어 주세요.", id="s:c"),
    )
    assert found == {"s:a": "s:a", "s:b": "s:a", "s:c": "s:c"}


def test_system_prompts_are_kept_apart_unless_asked():
    pair = [
        chat("system: Be brief.", f"user: {ASKED}", "assistant: Open the settings.", id="s:a"),
        chat("system: Be polite.", f"user: {ASKED}", "assistant: Open the settings.", id="s:b"),
    ]
    assert groups(SemanticDuplicate(), *pair) == {"s:a": "s:a", "s:b": "s:b"}
    assert groups(SemanticDuplicate(across_system_prompts=True), *pair) == {"s:a": "s:a", "s:b": "s:a"}


@MINILM
def test_row_142_a_rewording_is_found_by_this_method_and_by_no_other():
    pair = [
        chat(f"user: {ASKED}", "assistant: You can do that in the security settings.", id="s:a"),
        chat(f"user: {REWORDED}", "assistant: That can be done in the settings, under security.", id="s:b"),
        chat(f"user: {SEA}", "assistant: Grey waves, falling leaves.", id="s:c"),
    ]
    assert related(SemanticDuplicate(model="minilm", threshold=0.8), *pair)["semantic_group"].to_list() == [
        "s:a",
        "s:a",
        "s:c",
    ]
    assert related(ExactDuplicate(), *pair)["exact_group"].to_list() == ["s:a", "s:b", "s:c"]
    assert related(NearDuplicate(threshold=0.5), *pair)["near_group"].to_list() == ["s:a", "s:b", "s:c"]


def test_row_142_words_in_another_order_are_found_without_a_model():
    words = [
        "please",
        "compare",
        "the",
        "fees",
        "of",
        "the",
        "three",
        "current",
        "accounts",
        "that",
        "your",
        "bank",
        "offers",
        "to",
        "students",
        "in",
        "Berlin",
    ]
    pair = [
        chat(f"user: {' '.join(words)}", "assistant: Gladly.", id="s:a"),
        chat(f"user: {' '.join(words[9:] + words[4:9] + words[:4])}", "assistant: Gladly.", id="s:b"),
    ]
    assert groups(SemanticDuplicate(), *pair) == {"s:a": "s:a", "s:b": "s:a"}
    assert related(NearDuplicate(threshold=0.5), *pair)["near_group"].to_list() == ["s:a", "s:b"]
    assert related(ExactDuplicate(), *pair)["exact_group"].to_list() == ["s:a", "s:b"]


@E5
def test_korean_rewordings_by_a_model_of_many_languages():
    pair = [
        chat("user: 비밀번호를 잊어버렸는데 어떻게 바꾸나요?", "assistant: 설정에서 바꿀 수 있습니다.", id="s:a"),
        chat("user: 비밀번호를 잊었어요. 어떻게 변경하나요?", "assistant: 설정에서 변경할 수 있습니다.", id="s:b"),
        chat("user: 김치찌개를 어떻게 끓이나요?", "assistant: 김치를 볶다가 물을 부어 주세요.", id="s:c"),
    ]
    assert groups(SemanticDuplicate(model="e5", threshold=0.97), *pair) == {"s:a": "s:a", "s:b": "s:a", "s:c": "s:c"}


WORDS = st.lists(st.sampled_from(["red", "blue", "green", "tea", "sea"]), min_size=0, max_size=6).map(" ".join)


@settings(max_examples=25, deadline=None)
@given(texts=st.lists(st.tuples(WORDS, st.sampled_from(["", "x"])), min_size=1, max_size=14), data=st.data())
def test_order_and_batches_and_days_do_not_matter(texts, data):
    signal = SemanticDuplicate(threshold=0.8)
    turns = [([f"system: {s}"] if s else []) + [f"user: {t}", "assistant: ok"] for t, s in texts]
    frame = rows(*[chat(*t, id=f"s:{n:02d}") for n, t in enumerate(turns)])
    whole = signal.relate(signal.sketch(frame.lazy())).collect().sort("id")
    order = data.draw(st.permutations(range(frame.height)))
    cut = data.draw(st.integers(1, frame.height))
    moved = frame[order]
    days = [signal.sketch(moved[i : i + cut].lazy()).collect() for i in range(0, frame.height, cut)]
    assert signal.relate(pl.concat(days).lazy()).collect().sort("id").equals(whole)
    assert set(whole["semantic_group"]) <= set(frame["id"])


def test_many_rows_are_joined_in_blocks_as_at_once(monkeypatch):
    random = np.random.default_rng(5)
    said = [" ".join(random.choice(["red", "blue", "green", "tea", "sea", "fog"], size=7)) for _ in range(300)]
    frame = rows(*[chat(f"user: {t}", "assistant: ok", id=f"s:{n:03d}") for n, t in enumerate(said)])
    signal = SemanticDuplicate(threshold=0.9)
    sketches = signal.sketch(frame.lazy())
    whole = signal.relate(sketches).collect()
    monkeypatch.setattr(cosine, "BLOCK", 32)
    monkeypatch.setattr(cosine, "PAIRS", 7)
    monkeypatch.setattr(semantic_duplicate, "AT_ONCE", 5)
    assert signal.relate(sketches).collect().equals(whole)
    assert whole["semantic_similarity"].drop_nulls().len() > 30


def test_ten_thousand_copies_are_one_document():
    frame = chat(f"user: {ASKED}", "assistant: ok")
    many = pl.concat([frame] * 10_000).with_columns(id=pl.format("s:{}", pl.int_range(pl.len())))
    found = SemanticDuplicate().relate(SemanticDuplicate().sketch(many.lazy())).collect()
    assert found["semantic_group"].unique().to_list() == ["s:0"]
    assert found["semantic_similarity"].unique().to_list() == [1.0]


def test_a_new_day_is_embedded_alone_and_gives_what_a_full_run_gives(tmp_path):
    import datetime as dt

    day = dt.datetime(2026, 3, 2, 9, tzinfo=dt.UTC)
    monday = chat(f"user: {ASKED}", "assistant: Open the settings.", id="s:b", occurred_at=day)
    tuesday = chat(
        f"user: {ASKED[:-1]}", "assistant: Open the settings", id="s:a", occurred_at=day + dt.timedelta(days=1)
    )
    signals = (SemanticDuplicate(),)
    store, fresh = Store(tmp_path / "one"), Store(tmp_path / "two")
    store.publish(measure(published(store, monday), signals))
    again = store.publish(measure(published(store, monday, tuesday), signals))
    assert again.made == ("2026-03-03",)
    full = fresh.publish(measure(published(fresh, monday, tuesday), signals))
    told = [s.publish(relate(m, signals)).scan().collect().sort("id") for s, m in ((store, again), (fresh, full))]
    assert told[0].equals(told[1])
    assert told[0]["semantic_group"].to_list() == ["s:a", "s:a"]
    stricter = (SemanticDuplicate(threshold=0.999),)
    assert store.publish(measure(published(store, monday, tuesday), stricter)).made == ()


def test_the_choice_treats_them_as_copies_only_when_asked():
    frame = pl.DataFrame(
        {
            "id": ["a", "b", "c", "d", "e"],
            "exact_group": ["a", "b", "c", "d", "d"],
            "near_group": ["a", "a", "c", "d", "d"],
            "semantic_group": ["a", "b", "b", "d", "d"],
            "thumb": [1, None, None, None, None],
            "rating": [None] * 5,
            "implicit": [None] * 5,
            "correction": [None] * 5,
            "reply_chars": [9, 9, 9, 9, 8],
            "undesired": [[]] * 5,
            "occurred_at": [None] * 5,
        },
        schema_overrides={
            "thumb": pl.Int8,
            "rating": pl.Float64,
            "implicit": pl.Float64,
            "correction": pl.String,
            "undesired": pl.List(pl.String),
            "occurred_at": pl.Datetime("us", "UTC"),
        },
    )

    def told(semantic):
        chosen = choose(frame, "longest", semantic)
        return {r["id"]: (r["instead"], r["reasons"]) for r in chosen.iter_rows(named=True)}

    assert told(False)["c"] == (None, [])
    assert choose(frame, "longest", True).schema == choose(frame, "longest").schema
    # c means what b means, and b is nearly a: all three are one group, and c was found by its meaning.
    assert told(True) == {
        "a": (None, []),
        "b": ("a", ["near_duplicate"]),
        "c": ("a", ["semantic_duplicate"]),
        "d": (None, []),
        "e": ("d", ["exact_duplicate"]),
    }


def test_the_similarity_told_is_the_cosine():
    signal = SemanticDuplicate()
    frame = rows(
        chat(f"user: {ASKED}", "assistant: Open the settings.", id="s:a"),
        chat(f"user: {ASKED[:-1]}", "assistant: Open the settings", id="s:b"),
        chat("user: ", "assistant: ", id="s:c"),
    )
    sketches = signal.sketch(frame.lazy())
    pairs = pl.DataFrame({"id": ["s:b", "s:c"], "instead": ["s:a", "s:a"]})
    told = signal.compare(sketches, pairs)
    assert told["id"].to_list() == ["s:b"]
    assert told["compared"].item() == signal.relate(sketches).collect().sort("id")["semantic_similarity"][0]


def test_calls_of_tools_are_alone():
    call = '[{"id":"c1","type":"function","function":{"name":"order","arguments":"{\\"item\\": \\"latte\\"}"}}]'
    answer = {"role": "tool", "content": '{"items": ["latte"]}', "tool_call_id": "c1"}
    found = groups(
        SemanticDuplicate(),
        chat("user: A latte please", {"role": "assistant", "tool_calls": call}, id="s:a"),
        chat("user: A latte please", {"role": "assistant", "tool_calls": call}, id="s:b"),
        chat("user: go", answer, "assistant: Here is your latte.", id="s:c"),
        chat("user: go", answer, "assistant: Here is your latte.", id="s:d"),
    )
    assert len(set(found.values())) == 4


def test_what_is_the_same_only_over_a_chain_is_told_apart():
    chosen = pl.DataFrame(
        {
            "id": ["a", "b", "c"],
            "instead": [None, "a", "a"],
            "similarity": [None, 0.95, 0.8],
            "reasons": [[], ["semantic_duplicate"], ["semantic_duplicate"]],
        },
        schema_overrides={"reasons": pl.List(pl.String)},
    )
    assert chained(chosen, (SemanticDuplicate(),)).to_list() == [False, False, True]
    assert chained(chosen, (SemanticDuplicate(threshold=0.7),)).to_list() == [False] * 3
    assert chained(chosen.head(1), ()).to_list() == [False]
