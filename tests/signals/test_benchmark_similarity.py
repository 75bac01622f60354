import json

import pytest

from flywheel.errors import RecipeInvalid
from flywheel.filters.benchmark_paraphrase import BenchmarkParaphrase
from flywheel.recipe import parse_recipe, read_recipe
from flywheel.signals.benchmark_overlap import BenchmarkOverlap
from flywheel.signals.benchmark_similarity import BenchmarkSimilarity
from flywheel.vectors.embeddings import Embedder
from tests.build import chat, rows

EGGS = (
    "Janet’s ducks lay 16 eggs per day. She eats three for breakfast every morning and bakes muffins for her friends every day "
    "with four. She sells the remainder at the farmers' market daily for $2 per fresh duck egg. How much does she make every day?"
)
REWORDED = (
    "How much money does Janet earn daily? Her ducks are laying 16 eggs a day. Three are eaten at breakfast each morning, four go "
    "into muffins that she bakes for friends. What remains is sold at the farmers' market, at $2 for one fresh duck egg."
)
OTHER = "A robe takes 2 bolts of blue fiber and half that much white fiber. How many bolts in total does it take to make three robes?"
KOREAN = "철수는 사과를 열두 개 샀고 그중에서 다섯 개를 동생에게 주었다. 남은 사과는 모두 몇 개인가?"
KOREAN_REWORDED = "철수가 사과 열두 개를 사서 동생에게 다섯 개를 주었다면, 그중에서 남은 사과는 모두 몇 개인가요?"
CLEAN = [
    "My ducks escaped from the yard, how do I catch them?",
    "Janet sells her old car. How should she set the price?",
    "라우터를 초기화하는 방법을 알려 주세요",
    "Write a short poem about the sea in autumn.",
]
MODELS = [
    pytest.param(m, marks=pytest.mark.skipif(bool(why := Embedder(m).absent()), reason=str(why)))
    for m in ("hashed", "minilm", "e5")
]


@pytest.fixture
def bench(tmp_path):
    lines = [{"question": q} for q in (OTHER, EGGS, KOREAN, "Why not?")]
    (tmp_path / "bench.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    return tmp_path


def similarity(folder, model="hashed"):
    return BenchmarkSimilarity(files=("bench.jsonl",), model=model).located(folder)


def measured(signal, *said):
    frame = rows(*[chat(f"user: {t}", "assistant: Gladly.", id=f"s:{n}") for n, t in enumerate(said)])
    return signal.measure(frame.lazy()).collect()


@pytest.mark.parametrize("model", MODELS)
def test_row_119_a_paraphrase_is_a_hit_a_copy_is_one_and_clean_rows_are_none(bench, model):
    signal = similarity(bench, model)
    found = measured(signal, REWORDED, EGGS, *CLEAN)
    assert found["benchmark_nearest"].to_list()[:2] == ["bench#1", "bench#1"]
    assert found.select(BenchmarkParaphrase().reject().fill_null(False)).to_series().to_list() == [True, True] + [
        False
    ] * len(CLEAN)
    assert found["benchmark_similarity"][1] == 1.0
    words = BenchmarkOverlap(files=("bench.jsonl",)).located(bench)
    assert measured(words, REWORDED, EGGS)["benchmark_share"].to_list() == [0.0, 1.0], (
        "only the copy is one by its words"
    )


def test_korean_items_are_found_too(bench):
    found = measured(similarity(bench), KOREAN_REWORDED)
    assert found["benchmark_nearest"].item() == "bench#2"
    assert found["benchmark_margin"].item() >= 0


def test_any_message_counts_and_the_nearest_item_is_named(bench):
    frame = chat("user: go on", f"assistant: {REWORDED}", "user: thank you very much indeed", "assistant: ok")
    assert similarity(bench).measure(frame.lazy()).collect()["benchmark_nearest"].item() == "bench#1"


def test_short_messages_and_short_items_are_left_out(bench):
    found = measured(similarity(bench), "Why not?", "")
    assert found.select("benchmark_nearest", "benchmark_similarity", "benchmark_margin").rows() == [(None,) * 3] * 2


def test_order_and_company_do_not_matter(bench):
    said = [REWORDED, "hi", KOREAN, *CLEAN, EGGS]
    signal = similarity(bench)
    whole = measured(signal, *said)
    frame = rows(*[chat(f"user: {t}", "assistant: Gladly.", id=f"s:{n}") for n, t in enumerate(said)])
    assert signal.measure(frame.reverse().lazy()).collect().reverse().equals(whole)
    for n in range(frame.height):
        assert signal.measure(frame[n : n + 1].lazy()).collect().equals(whole[n : n + 1])


def test_without_files_nothing_is_measured():
    assert measured(BenchmarkSimilarity(), EGGS).row(0)[1:] == (None, None, None)


def test_lineage_names_the_content_and_not_the_place(bench, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "bench.jsonl").write_bytes((bench / "bench.jsonl").read_bytes())
    assert similarity(bench).step() == similarity(elsewhere).step()
    assert str(tmp_path) not in similarity(bench).step().model_dump_json()
    (elsewhere / "bench.jsonl").write_text('{"question": "another one, quite different"}')
    assert similarity(bench).step() != similarity(elsewhere).step()


SET = '[[set]]\nname = "s"\nuse = "sft"\nexport = ["trl"]\n'


def test_a_recipe_that_cannot_look_says_so(bench):
    with pytest.raises(RecipeInvalid, match="names no benchmark; add files"):
        parse_recipe('name = "r"\n[[signal]]\nuse = "benchmark_similarity"\n')
    with pytest.raises(RecipeInvalid, match=r'measured only on request\. Add it: .*use = "benchmark_similarity"'):
        parse_recipe('name = "r"\n[[filter]]\nuse = "benchmark_paraphrase"\n')
    with pytest.raises(RecipeInvalid, match="no_benchmark_paraphrases: name benchmark files"):
        parse_recipe(f'name = "r"\n{SET}[set.check.no_benchmark_paraphrases]\nmax = 0.1\n')
    (bench / "recipe.toml").write_text('name = "r"\n[[signal]]\nuse = "benchmark_similarity"\nfiles = ["gone.jsonl"]\n')
    with pytest.raises(RecipeInvalid, match=r"gone\.jsonl cannot be read"):
        read_recipe(bench / "recipe.toml")


def test_the_check_is_off_only_where_nothing_is_looked_for(bench):
    signal = '[[signal]]\nuse = "benchmark_similarity"\nfiles = ["bench.jsonl"]\n'
    without, with_it = parse_recipe(f'name = "r"\n{SET}'), parse_recipe(f'name = "r"\n{signal}{SET}')
    assert without.set[0].check["no_benchmark_paraphrases"].severity == "off"
    assert "no_benchmark_paraphrases" not in with_it.set[0].check
