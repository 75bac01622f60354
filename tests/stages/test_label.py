"""Feedback becomes labels by folding; every event gets a status."""

import datetime as dt

import polars as pl
import pytest

from flywheel.labels import LEDGER, FeedbackPolicy
from flywheel.logs.inferred import INFERRED
from flywheel.stages.label import compare, day_digest, fold, resolve, settle

NOON = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)


def event(
    id: str, kind: str = "thumb", target: str = "r1", minutes: float = 0, arrives: float = 0, **more: object
) -> dict[str, object]:
    """One event of feedback, made `minutes` after noon and received `arrives` minutes later."""
    when = NOON + dt.timedelta(minutes=minutes)
    what = {k: v for k, v in more.items() if k in ("value", "correction", "chosen_id", "others", "text")}
    return {
        "feedback_id": id,
        "digest": f"{kind}{target}{what}{when}",
        "target_kind": "call",
        "target_id": target,
        "kind": kind,
        "explicit": True,
        "actor": "u_1",
        "occurred_at": when,
        "received_at": when + dt.timedelta(minutes=arrives),
    } | more


def calls(*names: str) -> pl.DataFrame:
    """Calls with these native ids, all in one session."""
    return pl.DataFrame(
        {
            "id": [f"log:{n}" for n in names],
            "native_id": list(names),
            "response_id": [f"chatcmpl-{n}" for n in names],
            "conversation_id": ["s1"] * len(names),
            "choice": pl.Series([0] * len(names), dtype=pl.Int32),
            "turn": pl.Series(range(len(names)), dtype=pl.Int32),
            "day": [NOON.date()] * len(names),
            "occurred_at": pl.Series([NOON] * len(names), dtype=pl.Datetime("us", "UTC")),
        }
    )


def settled(
    *events: dict[str, object], known: tuple[str, ...] = ("r1", "r2", "r3"), **settings: object
) -> pl.DataFrame:
    frame = pl.DataFrame([{c: e.get(c) for c in INFERRED} for e in events], schema=INFERRED)
    return settle(resolve(frame, calls(*known)), FeedbackPolicy(**settings))  # type: ignore[arg-type]


def statuses(ledger: pl.DataFrame) -> dict[str, str]:
    return dict(ledger.select("feedback_id", "status").iter_rows())


def labels(ledger: pl.DataFrame, id: str = "log:r1") -> dict[str, object]:
    rows = fold(ledger.filter(pl.col("status") == "applied"), ledger, FeedbackPolicy())
    return rows.row(by_predicate=pl.col("id") == id, named=True)


def test_thumb_is_applied() -> None:
    ledger = settled(event("f1", value=1.0))
    assert statuses(ledger) == {"f1": "applied"}
    assert labels(ledger)["thumb"] == 1


def test_same_act_under_another_id_is_a_duplicate() -> None:
    ledger = settled(event("f1", value=-1.0, digest="same"), event("f2", value=-1.0, arrives=5, digest="same"))
    assert statuses(ledger) == {"f1": "applied", "f2": "duplicate"}
    assert labels(ledger)["thumbs_down"] == 1


def test_feedback_on_an_unknown_call_waits() -> None:
    ledger = settled(event("f1", target="nowhere", value=1.0))
    assert statuses(ledger) == {"f1": "orphan"}
    assert ledger["why"].item() == "waits for call nowhere"
    assert fold(ledger.filter(pl.col("status") == "applied"), ledger, FeedbackPolicy()).height == 0


def test_one_person_changing_their_mind_keeps_the_later_word() -> None:
    ledger = settled(event("f1", value=1.0), event("f2", value=-1.0, minutes=9))
    assert statuses(ledger) == {"f1": "superseded", "f2": "applied"}
    label = labels(ledger)
    assert (label["thumb"], label["contradicted"]) == (-1, False)


@pytest.mark.parametrize(
    ("policy", "votes", "thumb"),
    [("exclude", (1, -1), None), ("majority", (1, -1, -1), -1), ("majority", (1, -1), None), ("latest", (1, -1, 1), 1)],
)
def test_people_who_contradict_each_other_are_settled_by_policy(
    policy: str, votes: tuple[float, ...], thumb: int | None
) -> None:
    events = [event(f"f{i}", value=float(v), actor=f"u_{i}", minutes=i) for i, v in enumerate(votes)]
    ledger = settled(*events, contradictions=policy)
    label = labels(ledger)
    assert (label["thumb"], label["contradicted"]) == (thumb, True)
    told = ledger.filter(pl.col("status") == "contradicted")["why"].to_list()
    assert told
    assert all(w.startswith(policy) for w in told)


@pytest.mark.parametrize(("minutes", "late"), [(24 * 60, False), (24 * 60 + 1, True)])
def test_late_means_longer_than_the_recipe_says(minutes: float, late: bool) -> None:
    assert settled(event("f1", value=1.0, arrives=minutes))["late"].item() is late


def test_targets_are_named_by_call_response_or_session() -> None:
    ledger = settled(
        event("a", target="chatcmpl-r2", value=1.0),
        event("b", target="log:r3", value=1.0),
        event("c", target="s1", target_kind="conversation", value=1.0, actor="u_9"),
    )
    assert dict(ledger.select("feedback_id", "id").iter_rows()) == {"a": "log:r2", "b": "log:r3", "c": "log:r3"}


def test_edit_beats_the_reply_and_regeneration_beats_the_first() -> None:
    applied = settled(
        event("e", "edit", correction="Better."), event("g", "regeneration", chosen_id="r2", explicit=False, minutes=1)
    )
    pairs = compare(applied).select("signal", "chosen", "rejected", "correction", "weight").rows()
    assert pairs == [("edit", None, "log:r1", "Better.", 1.0), ("regeneration", "log:r2", "log:r1", None, 0.5)]


def test_ranking_gives_every_ordered_pair() -> None:
    applied = settled(event("k", "ranking", others=["r3", "r1", "r2"]))
    pairs = compare(applied).select("chosen", "rejected").rows()
    assert pairs == [("log:r1", "log:r2"), ("log:r3", "log:r1"), ("log:r3", "log:r2")]


def test_choice_with_a_call_that_has_not_arrived_makes_no_pair() -> None:
    applied = settled(event("k", "choice", chosen_id="later", others=["r1"]))
    assert compare(applied).height == 0


def test_the_ledger_lists_every_event_once_whatever_their_order() -> None:
    events = [
        event(f"f{i}", value=float((-1) ** i), actor=f"u_{i % 3}", minutes=i % 4, target=f"r{i % 3 + 1}")
        for i in range(12)
    ]
    one, other = settled(*events), settled(*reversed(events))
    columns = list(LEDGER)
    assert one.select(columns).sort("feedback_id").equals(other.select(columns).sort("feedback_id"))
    assert one["feedback_id"].n_unique() == 12


def test_feedback_on_a_session_speaks_of_the_call_before_it() -> None:
    """A later call of the session does not draw earlier feedback to itself, nor does another choice of the call."""
    spread = calls("r1", "r2", "r3").with_columns(
        occurred_at=pl.Series([NOON, NOON, NOON + dt.timedelta(hours=2)], dtype=pl.Datetime("us", "UTC")),
        choice=pl.Series([0, 1, 0], dtype=pl.Int32),
    )
    said = [
        event("a", target="s1", target_kind="conversation", minutes=60),
        event("b", target="s1", target_kind="conversation", minutes=150),
        event("c", target="s1", target_kind="conversation", minutes=-5),
    ]
    columns = INFERRED
    frame = pl.DataFrame([{c: e.get(c) for c in columns} for e in said], schema=columns)
    assert dict(resolve(frame, spread).select("feedback_id", "id").iter_rows()) == {
        "a": "log:r1",
        "b": "log:r3",
        "c": None,
    }


def test_the_key_of_a_day_changes_with_all_that_decides_it_and_not_with_the_order() -> None:
    """Content, arrival, and which rows an event speaks of: its call, the one chosen, each of the others in its place."""
    later = NOON + dt.timedelta(minutes=1)
    one = {
        "feedback_id": "a",
        "digest": "d",
        "sign": None,
        "received_at": NOON,
        "id": "r1",
        "chosen": None,
        "other_rows": ["x", None],
    }
    two = one | {"feedback_id": "b", "other_rows": None}
    schema = pl.Schema(
        dict.fromkeys(one, pl.String) | {"received_at": pl.Datetime("us", "UTC"), "other_rows": pl.List(pl.String)}
    )
    changes = [{"digest": "e"}, {"sign": "correction"}, {"received_at": later}, {"id": None}, {"chosen": "r2"}]
    changes += [{"other_rows": rows} for rows in ([None, "x"], ["x"], ["x", "y"], [], None)]
    keys = [day_digest(pl.DataFrame([one | change, two], schema=schema)) for change in ({}, *changes)]
    assert keys[0] == day_digest(pl.DataFrame([two, one], schema=schema))
    assert keys[0] not in keys[1:]


def test_row_4_what_a_model_chose_is_told_apart_from_what_people_chose():
    events = [
        event("f1", "choice", chosen_id="r2", others=["r1"], actor_kind="judge", actor="m"),
        event("f2", "choice", chosen_id="r2", others=["r1"], actor_kind="end_user"),
        event("f3", "ranking", others=["r2", "r1"], actor_kind="judge", actor="m"),
    ]
    applied = settled(*events).filter(pl.col("status") == "applied")
    pairs = compare(applied).select("feedback_id", "signal", "chosen", "weight").rows()
    assert pairs == [("f1", "judge", "log:r2", 0.6), ("f2", "choice", "log:r2", 1.0), ("f3", "judge", "log:r2", 0.6)]
