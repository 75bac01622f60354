import polars as pl
import pytest

from flywheel.errors import RecipeInvalid
from flywheel.filters.benchmark_leak import BenchmarkLeak
from flywheel.recipe import parse_recipe, read_recipe

FILES = '[[signal]]\nuse = "benchmark_overlap"\nfiles = ["bench.jsonl"]\n'
LEAK = '[[filter]]\nuse = "benchmark_leak"\n'
SET = '[[set]]\nname = "s"\nuse = "sft"\nexport = ["trl"]\n'


@pytest.mark.parametrize(("share", "rejected"), [(1.0, True), (0.51, True), (0.5, False), (0.0, False), (None, None)])
def test_benchmark_leak(share, rejected):
    frame = pl.DataFrame({"benchmark_share": [share]}, schema={"benchmark_share": pl.Float64})
    assert frame.select(BenchmarkLeak().reject()).item() is rejected


def test_the_bound_is_the_recipes():
    frame = pl.DataFrame({"benchmark_share": [0.4, 0.2]})
    assert frame.select(BenchmarkLeak(max_share=0.3).reject()).to_series().to_list() == [True, False]


@pytest.mark.parametrize("wish", [LEAK, f"{SET}[set.check.no_benchmark_leaks]\nmax = 0.3\n"])
def test_without_benchmarks_it_is_refused(wish):
    with pytest.raises(RecipeInvalid, match="name benchmark files"):
        parse_recipe(f'name = "r"\n{wish}')
    assert parse_recipe(f'name = "r"\n{FILES}{wish}').overlap.files == ("bench.jsonl",)


def test_the_check_is_declared_off_without_benchmarks():
    assert parse_recipe(f'name = "r"\n{SET}').sets[0].check["no_benchmark_leaks"].severity == "off"
    assert "no_benchmark_leaks" not in parse_recipe(f'name = "r"\n{FILES}{SET}').sets[0].check


def test_files_lie_beside_the_recipe(tmp_path):
    (tmp_path / "recipe.toml").write_text(f'name = "r"\n{FILES}{LEAK}')
    with pytest.raises(RecipeInvalid, match=r"bench\.jsonl cannot be read"):
        read_recipe(tmp_path / "recipe.toml")
    (tmp_path / "bench.jsonl").write_text("no json")
    with pytest.raises(RecipeInvalid, match="line 1: no JSON"):
        read_recipe(tmp_path / "recipe.toml")
    (tmp_path / "bench.jsonl").write_text('{"question": "What is it?"}')
    recipe = read_recipe(tmp_path / "recipe.toml")
    assert recipe.overlap.paths == (tmp_path / "bench.jsonl",)
    assert recipe.digest == parse_recipe(f'name = "r"\n{FILES}{LEAK}').digest  # wherever it lies
