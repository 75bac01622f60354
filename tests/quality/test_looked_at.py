"""How much of a set people have looked at: counted, held against everybody else's words, and told on the card."""

import datetime as dt
import json

import polars as pl
import pytest

from flywheel.errors import RecipeInvalid
from flywheel.kinds import Threshold, Undeclared
from flywheel.labels import FeedbackPolicy
from flywheel.quality.looked_at import LOOKED, looked_at, measured
from flywheel.recipe import parse_recipe
from flywheel.records import CONVERSATIONS, FEEDBACK
from flywheel.sets import REJECTED_EXAMPLES
from flywheel.sets.detector import Detector
from flywheel.sets.kto import Kto
from flywheel.sets.preference import Preference
from flywheel.sets.reward import Reward
from flywheel.sets.sft import Sft
from flywheel.stages.label import label
from flywheel.storage.snapshots import Store
from tests.build import chat
from tests.homes import Ran, drop, small_home, thumb
from tests.pools import NOON, snapshot

ASKS = 'name = "r"\n[[set]]\nname = "s"\nuse = "sft"\nexport = ["trl"]\n'


def said(n, kind="thumb", actor="u1", by="end_user", target="r0", **more):
    when = NOON + dt.timedelta(days=n)
    return {
        "feedback_id": f"f{n}", "digest": f"{n}{kind}{more}", "target_kind": "call", "target_id": target, "kind": kind, "explicit": True,
        "actor_kind": by, "actor": actor, "occurred_at": when, "received_at": when,
    } | more  # fmt: skip


def up(n, **more):
    return said(n, value=1.0, **more)


def down(n, **more):
    return said(n, value=-1.0, **more)


def counted(tmp_path, *events, wanted=None, examples=(("r0",),), refused=(), instead=(), **policy):
    """The record of a set of `examples` (the calls of each), out of the calls r0 to r5."""
    store, settings = Store(tmp_path / "snapshots"), FeedbackPolicy(**policy)
    calls = pl.concat(
        [chat("user: q", f"assistant: {n}", id=f"openai_chat:r{n}", conversation_id=f"s{n}") for n in range(6)]
    )
    logged = snapshot(store, "conversations", {"rows": calls.select(*CONVERSATIONS)})
    rows = pl.DataFrame([{c: e.get(c) for c in FEEDBACK} for e in events], schema=FEEDBACK)
    heard = snapshot(store, "feedback", {"rows": rows})
    labels = store.publish(label(logged, heard, settings))

    def of(sets):
        ids = [[f"openai_chat:{i}" for i in of] for of in sets]
        return {"id": [">".join(i) for i in ids], "parents": ids}

    no = pl.DataFrame(
        of([r for r, _ in refused]) | {"reasons": [list(why) for _, why in refused], "instead": [None] * len(refused)},
        schema=REJECTED_EXAMPLES,
    )
    gone = pl.DataFrame(
        [[f"openai_chat:{i}" for i in pair] for pair in instead],
        schema={"id": pl.String, "kept": pl.String},
        orient="row",
    )
    made = pl.DataFrame(of(examples), schema={"id": pl.String, "parents": pl.List(pl.String)})
    return looked_at(wanted or Sft(name="s"), made, no, gone, labels, heard, settings)


def compared(told):
    return told["looked_at"], told["compared"], told["agreed"]


def test_the_label_an_expert_is_held_against_is_without_their_own_word(tmp_path):
    alone = counted(tmp_path / "a", up(1, actor="e", by="expert"))
    assert compared(alone) == (1, 0, 0)
    assert (alone["share"], alone["people"], alone["last"], alone["agreement"], alone["low"]) == (
        1.0,
        1,
        "2026-03-03",
        None,
        None,
    )
    # Under "latest" the expert's word is the label: held against that, everybody would agree with themselves.
    own = down(2, actor="e", by="expert")
    assert compared(counted(tmp_path / "b", up(1), own, contradictions="latest")) == (1, 1, 0)
    assert compared(counted(tmp_path / "c", down(1), own, contradictions="latest")) == (1, 1, 1)
    # Nor does a second event of the same person, spoken as a user, count as somebody else's.
    assert compared(counted(tmp_path / "d", down(1, actor="e"), own)) == (1, 0, 0)


def test_two_experts_are_held_against_each_other_and_one_who_differs_is_enough(tmp_path):
    first, second = up(1, actor="e", by="expert"), down(2, actor="f", by="expert")
    told = counted(tmp_path / "a", first, second)
    assert (compared(told), told["people"], told["last"]) == ((1, 1, 0), 2, "2026-03-04")
    assert compared(counted(tmp_path / "b", first, up(2, actor="f", by="expert"), up(3))) == (1, 1, 1)
    assert compared(counted(tmp_path / "c", first, second, up(3))) == (1, 1, 0)
    # Those without a name are one, and not the user without one.
    nameless = [up(n, actor=None, by="expert", target=f"r{n}") for n in (0, 1)]
    told = counted(tmp_path / "d", *nameless, down(3, actor=None), examples=[("r0",), ("r1",)])
    assert (compared(told), told["people"]) == ((2, 1, 0), 1)


@pytest.mark.parametrize(
    ("wanted", "others", "expert", "found"),
    [
        (Sft(name="s"), said(1, "comment", text="so"), up(2, by="expert", actor="e"), (1, 0, 0)),
        (Sft(name="s"), up(1), said(2, "comment", text="so", by="expert", actor="e"), (1, 0, 0)),
        (Sft(name="s"), said(1, "copy", explicit=False, value=1.0), up(2, by="expert", actor="e"), (1, 0, 0)),
        (Sft(name="s"), up(1), said(2, "copy", explicit=False, value=1.0, by="expert", actor="e"), (0, 0, 0)),
        (Sft(name="s"), down(1), said(2, "edit", correction="x", by="expert", actor="e"), (1, 1, 1)),
        (Sft(name="s"), up(1), said(2, "edit", correction="x", by="expert", actor="e"), (1, 1, 0)),
        (Sft(name="s"), said(1, "rating", value=5.0), said(2, "rating", value=1.0, by="expert", actor="e"), (1, 0, 0)),
        (Reward(name="s"), said(1, "rating", value=5.0), said(2, "rating", value=1.0, by="expert", actor="e"), (1, 1, 0)),
        (Reward(name="s"), said(1, "rating", value=5.0), said(2, "rating", value=4.0, by="expert", actor="e"), (1, 1, 1)),
        (Reward(name="s"), said(1, "rating", value=3.0), said(2, "rating", value=4.0, by="expert", actor="e"), (1, 0, 0)),
    ],
)  # fmt: skip
def test_only_explicit_verdicts_are_compared(wanted, others, expert, found, tmp_path):
    assert compared(counted(tmp_path, others, expert, wanted=wanted)) == found


def test_what_people_s_words_alone_took_out_of_the_set_is_compared_too(tmp_path):
    words = [up(1), down(2, actor="e", by="expert"), up(3, target="r1"), up(4, actor="e", by="expert", target="r1")]
    kept = {"wanted": Kto(name="k"), "examples": [("r1",)]}
    told = counted(tmp_path / "a", *words, **kept, refused=[(("r0",), ["CONTRADICTED"])])
    assert (compared(told), told["examples"]) == ((1, 2, 1), 1)
    assert compared(counted(tmp_path / "b", *words, **kept, refused=[(("r0",), ["CONTRADICTED", "refusal"])])) == (
        1,
        1,
        1,
    )
    assert compared(counted(tmp_path / "c", *words, **kept, refused=[(("r0",), [])])) == (1, 1, 1)


def test_a_pair_is_compared_by_which_is_the_better_one(tmp_path):
    def chose(n, winner, loser, **more):
        return said(n, "choice", target=winner, chosen_id=winner, others=[loser], **more)

    pair = {"wanted": Preference(name="p"), "examples": [("r0", "r1")]}
    expert = {"actor": "e", "by": "expert"}
    assert compared(counted(tmp_path / "a", chose(1, "r0", "r1"), chose(2, "r0", "r1", **expert), **pair)) == (1, 1, 1)
    assert compared(counted(tmp_path / "b", chose(1, "r0", "r1"), chose(2, "r1", "r0", **expert), **pair)) == (1, 1, 0)
    assert compared(counted(tmp_path / "c", chose(2, "r0", "r1", **expert), up(1), **pair)) == (1, 0, 0)
    # Two who contradict each other are no label, and a pair with both its refused ways round is one case.
    both = [chose(1, "r0", "r1"), chose(2, "r1", "r0", actor="u2"), chose(3, "r1", "r0", **expert)]
    assert compared(counted(tmp_path / "d", *both, **pair)) == (1, 0, 0)
    ways = [((a, b), ["CONTRADICTED_PAIR"]) for a, b in (("r0", "r1"), ("r1", "r0"))]
    told = counted(
        tmp_path / "e", chose(1, "r0", "r1"), chose(2, "r1", "r0", **expert), **(pair | {"examples": []}), refused=ways
    )
    assert compared(told) == (0, 1, 0)
    # A thumb on one side is a look at it, and says nothing of the other.
    assert compared(counted(tmp_path / "f", chose(1, "r0", "r1"), up(2, target="r1", **expert), **pair)) == (1, 0, 0)


def test_what_is_said_of_a_removed_copy_is_said_of_the_row_kept(tmp_path):
    words = [up(1, target="r1"), down(2, target="r2", actor="e", by="expert")]
    told = counted(tmp_path / "a", *words, instead=[("r1", "r0"), ("r2", "r0")])
    assert compared(told) == (1, 1, 0)
    assert compared(counted(tmp_path / "b", *words)) == (0, 0, 0)
    # Copies judged differently by everybody else are no label.
    copies = [*words, down(3, target="r3", actor="u3")]
    assert compared(counted(tmp_path / "c", *copies, instead=[(f"r{n}", "r0") for n in (1, 2, 3)])) == (1, 0, 0)


def test_an_example_of_several_calls_agrees_where_each_of_them_does(tmp_path):
    words = [w(n, target=f"r{n}") for n, w in enumerate((up, up, down))]
    words += [up(n + 3, target=f"r{n}", actor="e", by="expert") for n in range(3)]
    told = counted(tmp_path, *words, examples=[("r0", "r1"), ("r1", "r2"), ("r4", "r5")])
    assert (told["examples"], compared(told)) == (3, (2, 2, 1))
    assert (told["agreement"], round(told["low"], 4), round(told["high"], 4)) == (0.5, 0.0945, 0.9055)  # Wilson 1927


def test_labels_that_say_something_else_are_not_compared(tmp_path):
    words = [up(1), up(2, actor="e", by="expert")]
    assert compared(counted(tmp_path / "a", *words)) == (1, 1, 1)
    assert compared(counted(tmp_path / "b", *words, wanted=Detector(name="d"))) == (1, 0, 0)
    text = ASKS.replace('"sft"', '"detector"').replace("trl", "huggingface") + "[set.looked_at]\n"
    assert parse_recipe(text + "least = 1\n").sets[0].check["people_have_looked"] == Threshold(min=1)
    with pytest.raises(
        RecipeInvalid,
        match=r"set.0.s.looked_at.agreement: no feedback says what the labels of a set of kind detector do",
    ):
        parse_recipe(text + "agreement = 0.9\n")


def test_the_order_of_events_does_not_matter(tmp_path):
    words = [
        f(n, target=f"r{n % 6}", actor=f"a{n % 4}", by=("expert", "end_user")[n % 4 > 1])
        for n, f in enumerate([up, down, up, up, down, up, up, down] * 3)
    ]
    every = {"examples": [(f"r{n}",) for n in range(6)]}
    told = counted(tmp_path / "a", *words, **every)
    assert told == counted(tmp_path / "b", *words[::-1], **every)
    assert (told["looked_at"], told["people"]) == (6, 2)
    assert 0 < told["agreed"] < told["compared"] <= 6


def test_words_about_a_call_that_has_not_arrived_are_no_look(tmp_path):
    assert compared(counted(tmp_path, up(1), up(2, actor="e", by="expert", target="nowhere"))) == (0, 0, 0)


def test_without_experts_nothing_else_is_read(tmp_path):
    store = Store(tmp_path / "snapshots")
    heard = snapshot(store, "feedback", {"rows": pl.DataFrame([{c: up(1).get(c) for c in FEEDBACK}], schema=FEEDBACK)})
    made = pl.DataFrame({"id": ["r0"], "parents": [["r0"]]})
    told = looked_at(Sft(name="s"), made, None, None, None, heard, FeedbackPolicy())
    assert told == {
        "examples": 1, "looked_at": 0, "share": 0.0, "people": 0, "last": None,
        "compared": 0, "agreed": 0, "agreement": None, "low": None, "high": None,
    }  # fmt: skip


def test_a_candidate_that_was_not_counted_has_no_number(tmp_path):
    assert measured(snapshot(Store(tmp_path / "snapshots"), "s", {"rows": pl.DataFrame({"id": ["a"]})})).is_empty()


def test_what_is_declared_is_judged_and_nothing_else():
    checks = parse_recipe(ASKS).sets[0].check
    assert {k: checks[t.name].missing for k, t in LOOKED.items()} == {k: f"{k} in [set.looked_at]" for k in LOOKED}
    checks = parse_recipe(ASKS + "[set.looked_at]\nleast = 50\nagreement = 0.9\n").sets[0].check
    assert checks["people_have_looked"] == Threshold(min=50)
    assert checks["labels_are_agreed_with"] == Threshold(min=0.9)
    assert isinstance(checks["enough_was_looked_at"], Undeclared)
    gate = '[set.looked_at]\nleast = 50\n[set.check.people_have_looked]\nseverity = "error"\n'
    assert parse_recipe(ASKS + gate).sets[0].check["people_have_looked"] == Threshold(min=50, severity="error")
    with pytest.raises(RecipeInvalid, match="asks for nothing; expected least, share or agreement"):
        parse_recipe(ASKS + "[set.looked_at]\n")


HOME = """
name = "looked"
[[set]]
name = "answers"
use = "sft"
export = ["openai"]
[set.looked_at]
least = 20
agreement = 0.8
[[set]]
name = "verdicts"
use = "kto"
export = ["trl"]
"""


def blind(n, up):
    return thumb(n, up) | {
        "event_id": f"ex_{n}",
        "user_id": "reviewer",
        "actor_kind": "expert",
        "created_at": "2026-03-05T09:00:00Z",
    }


@pytest.mark.slow
def test_row_136_twenty_blind_verdicts_are_agreement_on_the_card_and_a_set_nobody_looked_at_warns(tmp_path):
    home = small_home(tmp_path / "home", HOME, calls=24)
    drop(home, "feedback/more.jsonl", *[thumb(n, up=True) for n in range(1, 24, 2)])
    ran = Ran(home)
    assert ran.success
    unlooked = ran.checks["answers", "people_have_looked"]
    assert (unlooked.passed, unlooked.severity.value) == (False, "WARN")
    assert "0 of 24 examples looked at by an expert; at least 20 wanted" in unlooked.description
    assert not ran.checks["answers", "labels_are_agreed_with"].passed
    off = ran.checks["answers", "enough_was_looked_at"]
    assert "Undeclared: the recipe has no share in [set.looked_at]; not judged" in off.description
    card = home.exports / "answers" / "current" / "README.md"
    assert "No expert has said anything of any of its 24 examples." in card.read_text()
    before = (home.exports / "answers" / "current").resolve()

    users = {n: n % 2 == 1 or n % 4 == 0 for n in range(24)}  # what each thumb says
    drop(home, "feedback/blind.jsonl", *[blind(n, up=users[n] if n != 7 else False) for n in range(20)])
    ran = Ran(home)
    assert ran.success
    assert ran.checks["answers", "people_have_looked"].passed
    found = ran.checks["answers", "labels_are_agreed_with"]
    assert found.passed
    assert "95% of 20 examples" in found.description
    text = card.read_text()
    assert "`looked_at`: 20 of 24 examples (83.33%), by one expert, last on 2026-03-05 (UTC)." in text
    assert "in 19 of 20 cases (95.0%, 95% interval 76.4% to 99.1%)" in text
    # The rows are what they were, so the version is; it tells of the looks all the same.
    assert (home.exports / "answers" / "current").resolve() == before
    manifest = json.loads(card.with_name("manifest.json").read_bytes())
    assert (manifest["notes"]["looked_at"]["people"], manifest["notes"]["looked_at"]["compared"]) == (1, 20)
    assert "feedback" in {i["name"] for i in manifest["inputs"]}
    assert "reviewer" not in text + json.dumps(manifest)
