"""Guards of the loop: generations, rare values, growth, self-teaching, grounding and imitation."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from flywheel.quality.loop import Loop, axes_of, generations, measured, slope
from flywheel.records import CONVERSATIONS, message
from flywheel.sets import EXAMPLES
from flywheel.storage.snapshots import Snapshot, Store
from tests.build import chat, rows
from tests.pools import pool_of, screened_of, snapshot

POLICY = Loop(max_synthetic_share=0.5, max_generations=2)


def call(id: str, *parents: str, origin: str = "logged", **more: Any) -> pl.DataFrame:
    return chat("user: q", "assistant: a", id=id, parents=list(parents), origin=origin, **more)


def example(id: str, parent: str, asked: str = "q", said: str = "a", **more: Any) -> dict[str, Any]:
    turns = {
        "prompt": [message({"role": "user", "content": asked})],
        "completion": [message({"role": "assistant", "content": said})],
    }
    row = {"id": id, "parents": [parent], "origin": "logged", "split": "train", "feedback": []} | turns | more
    return {c: row.get(c) for c in EXAMPLES}


class World:
    """Conversations, the pool they give, and a set of one example for each."""

    def __init__(self, folder: Path, calls: pl.DataFrame, languages: list[str] | None = None) -> None:
        self.store = Store(folder)
        pool = pool_of(screened_of(calls))
        if languages:
            pool = pool.with_columns(language=pl.Series(languages))
        self.calls = snapshot(self.store, "conversations", {"rows": calls.select(CONVERSATIONS.names())})
        self.pool = snapshot(self.store, "curated", {"rows": pool})
        given = [example(f"e-{r['id']}", r["id"], origin=r["origin"]) for r in calls.iter_rows(named=True)]
        self.examples = given

    def set(self, *examples: dict[str, Any]) -> Snapshot:
        frame = pl.DataFrame(list(examples) or self.examples, schema=EXAMPLES)
        return snapshot(self.store, "made", {"rows": frame})

    def found(
        self, *examples: dict[str, Any], loop: Loop | None = POLICY, student: str = "", turns: Any = ()
    ) -> pl.DataFrame:
        return measured(self.set(*examples), self.pool, self.calls, loop, student, turns)


def value(table: pl.DataFrame, metric: str, segment: str = "") -> float:
    return float(table.filter(metric=metric, segment=segment).get_column("value").item())


def test_row_113_generations_are_counted_along_the_oldest_ancestor(tmp_path: Path) -> None:
    world = World(
        tmp_path,
        rows(
            call("real"),
            call("once", "real", origin="synthesized"),
            call("twice", "once", "real", origin="distilled"),
            call("thrice", "twice", origin="synthesized"),
            call("logged_again", "real"),
        ),
    )
    ages = dict(generations(world.set().scan(), world.calls).iter_rows())
    assert ages == {"e-real": 0, "e-once": 1, "e-twice": 2, "e-thrice": 3, "e-logged_again": 0}
    assert value(world.found(), "generations") == 3
    assert value(world.found(), "real_share") == pytest.approx(0.4)


def test_row_113_a_rare_value_that_synthesis_forgets_is_found(tmp_path: Path) -> None:
    real = [call(f"r{i}") for i in range(100)]
    made = [call(f"s{i}", "r0", origin="synthesized") for i in range(1000)]
    languages = ["ko"] * 2 + ["en"] * 98 + ["ko"] * 3 + ["en"] * 997
    found = World(tmp_path, rows(*real, *made), languages).found()
    assert value(found, "tail_retention", "language=ko") == pytest.approx(0.15)
    assert value(found, "tail_retention") == pytest.approx(0.15)
    assert value(found, "tail_retention") < POLICY.min_retention


def test_row_115_one_generation_of_nearly_all_is_a_warning_and_three_are_a_failure(tmp_path: Path) -> None:
    real, made = [call("r0"), call("r1")], [call(f"s{i}", "r0", origin="synthesized") for i in range(98)]
    first = World(tmp_path / "a", rows(*real, *made)).found()
    assert value(first, "real_share") == pytest.approx(0.02)  # below the 5% of the warning
    assert value(first, "generations") == 1
    older = [call("t", "s0", origin="synthesized"), *(call(f"u{i}", "t", origin="synthesized") for i in range(5))]
    third = World(tmp_path / "b", rows(*real, *made, *older)).found()
    assert value(third, "generations") == 3 > POLICY.max_generations


def test_row_116_a_share_that_grows_from_turn_to_turn_is_told_with_its_slope(tmp_path: Path) -> None:
    calls = rows(*[call(f"r{i}") for i in range(100)])
    world = World(tmp_path, calls, ["en"] * 73 + ["ko"] * 27)
    turns = [{"language": {"en": 0.60, "ko": 0.40}}, {"language": {"en": 0.66, "ko": 0.34}}]
    found = world.found(turns=turns)
    assert value(found, "growth_per_turn", "language=en") == pytest.approx(0.065)
    assert value(found, "growth_per_turn") > POLICY.max_growth
    assert value(world.found(turns=turns[1:]), "growth_per_turn") == 0  # two turns are no trend
    assert (
        value(world.found(turns=[{"language": {"en": 0.80}}, turns[1]]), "growth_per_turn") == 0
    )  # nor is up and down
    assert slope([0.60, 0.66, 0.73]) == pytest.approx(0.065)
    assert axes_of(world.set(), world.pool, ["language", "nothing"]) == {"language": {"en": 0.73, "ko": 0.27}}


def test_row_167_what_the_student_wrote_needs_a_verifier_outside_of_it(tmp_path: Path) -> None:
    world = World(
        tmp_path, rows(call("mine", model="Student-7B"), call("liked", model="student-7b"), call("other", model="big"))
    )
    mine, liked, other = (example(f"e-{i}", i) for i in ("mine", "liked", "other"))
    liked["feedback"] = ["fb:1"]
    assert value(world.found(mine, liked, other, student="student-7b"), "self_taught_rows") == 1
    assert value(world.found(mine, liked, other, student="another"), "self_taught_rows") == 0
    tested = POLICY.model_copy(update={"verifier": "unit tests of the answers"})
    assert value(world.found(mine, liked, other, student="student-7b", loop=tested), "self_taught_rows") == 0


@pytest.mark.parametrize(
    ("asked", "said", "flagged"),
    [
        ("When was the refund sent?", "It was sent in 2019.", True),
        ("The refund was sent in 2019. When?", "In 2019.", False),
        ("How many steps?", "There are 3 steps.", False),
        ("합계는 얼마인가요?", "합계는 12,500원입니다.", True),
        ("The total is 12,500. And?", "12,500 in all", False),
    ],
)
def test_row_165_figures_of_people_that_the_prompt_lacks_are_flagged(
    tmp_path: Path, asked: str, said: str, flagged: bool
) -> None:
    world = World(tmp_path, call("r"))
    written = example("e", "r", asked, said, signal="edit", origin="demonstrated")
    found = world.found(written)
    assert value(found, "ungrounded_human_rows") == int(flagged)
    assert found.filter(metric="ungrounded_human_rows", segment="e").height == int(flagged)
    assert (
        value(world.found(example("e", "r", asked, said)), "ungrounded_human_rows") == 0
    )  # a model's reply is not asked


def test_row_112_bare_answers_of_a_model_are_told(tmp_path: Path) -> None:
    world = World(tmp_path, call("r"))
    question = "A baker has 23 apples, uses 20 and buys 6. How many are left?"
    bare, shown = example("a", "r", question, "9"), example("b", "r", question, "23 - 20 = 3, and 3 + 6 = 9.")
    thought = example("c", "r", question, "9")
    thought["completion"][0]["reasoning"] = "23 - 20 + 6"
    assert value(world.found(bare, shown), "answers_only_share") == pytest.approx(0.5)
    assert value(world.found(shown, thought), "answers_only_share") == 0
    assert value(world.found(bare), "answers_only_share") == 1


def test_without_a_policy_nothing_is_said(tmp_path: Path) -> None:
    assert World(tmp_path, call("r")).found(loop=None).is_empty()
