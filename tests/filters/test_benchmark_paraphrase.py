import polars as pl

from flywheel.filters.benchmark_paraphrase import BenchmarkParaphrase


def test_a_paraphrase_is_rejected_and_the_unmeasured_stay():
    frame = pl.DataFrame({"benchmark_margin": [0.2, 0.0, -0.001, -0.5, None]})
    assert frame.select(BenchmarkParaphrase().reject()).to_series().to_list() == [True, True, False, False, None]
    strict = BenchmarkParaphrase(min_margin=-0.01)
    assert frame.select(strict.reject()).to_series().to_list() == [True, True, True, False, None]
