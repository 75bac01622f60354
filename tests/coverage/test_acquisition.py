import polars as pl

from flywheel.coverage.acquisition import ACQUISITION, acquisition
from flywheel.coverage.matrix import matrix
from flywheel.coverage.wanted import Coverage
from tests.coverage.test_matrix import column, usage


def plan(wanted, logs_values, used, pool, logs=None):
    """The plan for a set of the first `used` conversations, from a pool of the first `pool`."""
    values = pl.DataFrame({"id": [f"s:{n:04d}" for n in range(len(next(iter(logs_values.values()))))], **logs_values})
    wanted = Coverage.model_validate(wanted)
    made = matrix(wanted, values.head(used).drop("id"), logs or {})
    ids = values["id"]
    return acquisition("answers", made, values.lazy(), ids.head(used), ids.head(pool), seed=0)


def test_row_41_a_rare_class_gets_new_rows_and_no_copies():
    made = plan({"app": {"fraud": 0.05}}, {"app": column(other=495, fraud=10, more=495)}, 1000, 1000)
    assert made.schema == ACQUISITION
    (job,) = made.to_dicts()
    assert (job["way"], job["rows"], job["replacing"], job["adding"]) == ("synthesise", 43, 40, 43)
    assert len(set(job["seeds"])) == 5
    assert {int(s[2:]) for s in job["seeds"]} <= set(range(495, 505))
    assert "none is repeated" in job["task"]


def test_rows_of_the_pool_are_annotated_before_any_are_written():
    made = plan({"app": {"fraud": 0.5}}, {"app": column(other=20, fraud=6, lost=4)}, 20, 24)
    assert made.select("way", "rows").rows() == [("annotate", 4), ("synthesise", 16)]
    assert made["adding"].to_list() == [20, 20]


def test_what_nobody_ever_asked_is_to_be_collected():
    made = plan({"app": {"loans": 0.1}}, {"app": column(other=20)}, 20, 20)
    assert made.select("way", "rows", "seeds").rows() == [("collect", 3, [])]


def test_row_30_typos_are_put_into_as_many_rows_as_it_takes():
    logs = {"typos": usage(some=8.0, none=92.0)}
    made = plan({"usage": {"axes": ["typos"]}}, {"typos": column(none=500)}, 500, 500, logs)
    job = made.filter(value="some").row(0, named=True)
    assert (job["way"], job["rows"]) == ("perturb.typo", 40)
    assert len(job["seeds"]) == 5


def test_too_much_of_a_value_asks_for_others():
    made = plan({"origin": {"synthesized": {"max": 0.5}}}, {"origin": column(synthesized=6, logged=4)}, 10, 10)
    assert made.select("value", "way", "rows").rows() == [("other than synthesized", "collect", 2)]


def test_a_gap_that_a_target_and_the_usage_see_is_closed_once():
    wanted = {"app": {"b": 0.3}, "usage": {"axes": ["app"]}}
    made = plan(wanted, {"app": column(a=90, b=10)}, 100, 100, {"app": usage(a=50.0, b=50.0)})
    assert made.filter(value="b").select("why", "adding").rows() == [("usage", 80)]


def test_a_plan_without_gaps_is_empty():
    assert plan({"app": {"a": 0.5}}, {"app": column(a=5)}, 5, 5).is_empty()
