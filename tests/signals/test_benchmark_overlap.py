import json
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flywheel.filters.benchmark_leak import BenchmarkLeak
from flywheel.signals.benchmark_overlap import BenchmarkOverlap
from tests.build import chat, rows

EGGS = (
    "Janet’s ducks lay 16 eggs per day. She eats three for breakfast every morning and bakes muffins for her friends every day "
    "with four. She sells the remainder at the farmers' market daily for $2 per fresh duck egg. How much does she make every day?"
)
SHORT = "Draft a professional email seeking your supervisor's feedback on the quarterly financial report you prepared."
KOREAN = "철수는 사과를 열두 개 샀고 그중에서 다섯 개를 동생에게 주었다. 남은 사과는 모두 몇 개인가?"


@pytest.fixture
def overlap(tmp_path: Path) -> BenchmarkOverlap:
    lines = [{"question": EGGS}, {"question": SHORT}, {"question": KOREAN}, {"question": "Why not?"}]
    (tmp_path / "bench.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    return BenchmarkOverlap(files=("bench.jsonl",)).located(tmp_path)


def measured(signal: BenchmarkOverlap, *turns: str) -> tuple[str | None, float, str | None]:
    return signal.measure(chat(*turns).lazy()).collect().row(0)[1:]


@pytest.mark.parametrize(
    ("said", "item"),
    [
        (EGGS, "bench#0"),  # row 119: a copy
        ("Please solve this for me: " + EGGS, "bench#0"),
        (" ".join(EGGS.lower().replace("’", "'").split()), "bench#0"),
        (EGGS[: int(len(EGGS) * 0.8)], "bench#0"),
        ("**" + EGGS.replace(" ", "\n") + "**", "bench#0"),
        (SHORT, "bench#1"),
        (SHORT[: int(len(SHORT) * 0.8)], "bench#1"),
        (KOREAN, "bench#2"),
        ("풀어 줘: " + KOREAN.replace(",", "").replace(" ", "  "), "bench#2"),
    ],
)
def test_a_leak_is_found_however_it_is_dressed(overlap, said, item):
    for turns in ((f"user: {said}", "assistant: 18"), ("user: go on", f"assistant: {said}")):
        hit, share, span = measured(overlap, *turns)
        assert hit == item
        assert share > 0.5
        assert 0 < len(span) <= 200


@pytest.mark.parametrize(
    "said",
    [
        "Janet’s ducks lay 16 eggs per day. How many a week?",
        "She sells the rest at the market for 3 dollars each. How much does she make every day?",
        "Draft a professional email to my landlord about the broken heating in the kitchen.",
        "영희는 사과를 세 개 샀다. 모두 몇 개인가?",
        "Why not?",  # too short to be an item
        "",
    ],
)
def test_a_near_miss_is_none(overlap, said):
    assert measured(overlap, f"user: {said}", "assistant: ok")[1] <= 0.5


def test_the_share_is_of_the_items_sequences_and_the_span_is_what_was_matched(overlap):
    assert measured(overlap, f"user: {SHORT}", "assistant: ok")[1:] == (
        1.0,
        "draft a professional email seeking your supervisor s feedback on the quarterly financial report you prepared",
    )
    half = " ".join(SHORT.split()[:8])
    assert measured(overlap, f"user: {half}", "assistant: ok")[1:] == (
        2 / 9,
        "draft a professional email seeking your supervisor s feedback",
    )
    assert measured(overlap, "user: nothing of the kind", "assistant: ok") == (None, 0.0, None)


def test_without_files_nothing_is_measured():
    assert measured(BenchmarkOverlap(), f"user: {EGGS}", "assistant: 18") == (None, None, None)


def test_the_filter_rejects_above_its_share_and_keeps_the_unmeasured():
    frame = pl.DataFrame({"benchmark_share": [1.0, 0.51, 0.5, 0.0, None]})
    assert frame.select(BenchmarkLeak().reject()).to_series().to_list() == [True, True, False, False, None]


def test_lineage_names_the_content_and_not_the_place(overlap, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "bench.jsonl").write_bytes((tmp_path / "bench.jsonl").read_bytes())
    assert overlap.step() == overlap.located(elsewhere).step()
    assert str(tmp_path) not in overlap.step().model_dump_json()
    (elsewhere / "bench.jsonl").write_text('{"question": "another one, quite different"}')
    assert overlap.step() != overlap.located(elsewhere).step()


def test_order_and_company_do_not_matter(overlap):
    frame = rows(
        *[
            chat(f"user: {t}", "assistant: x", id=f"s:{n}")
            for n, t in enumerate([EGGS, "hi", KOREAN, SHORT, EGGS + KOREAN])
        ]
    )
    whole = overlap.measure(frame.lazy()).collect().sort("id")
    assert overlap.measure(frame.reverse().lazy()).collect().sort("id").equals(whole)
    alone = pl.concat([overlap.measure(frame[i : i + 1].lazy()).collect() for i in range(frame.height)])
    assert alone.sort("id").equals(whole)


WORDS = st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=30)


@settings(max_examples=60, deadline=None)
@given(item=st.lists(st.sampled_from(["a", "b", "c", "d"]), min_size=4, max_size=20), said=WORDS)
def test_the_share_is_that_of_plain_sets(tmp_path_factory, item, said):
    folder = tmp_path_factory.mktemp("bench")
    (folder / "b.jsonl").write_text(json.dumps({"question": " ".join(item)}))
    signal = BenchmarkOverlap(files=("b.jsonl",), ngram=6, short_ngram=3).located(folder)
    size = min(len(item), 6 if len(item) >= 18 else 3)
    grams = {tuple(item[i : i + size]) for i in range(len(item) - size + 1)}
    have = {tuple(said[i : i + size]) for i in range(len(said) - size + 1)}
    found = signal.measure(chat(f"user: {' '.join(said)}", "assistant: !").lazy()).collect()
    assert found["benchmark_share"].item() == len(grams & have) / len(grams)
