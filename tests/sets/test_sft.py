"""Supervised finetuning: which rows, and whose words."""

import pytest
from pydantic import ValidationError

from flywheel.records import message, message_digest, short_hash
from flywheel.sets import PICKED
from flywheel.sets.sft import Sft
from flywheel.stages.assemble import Inputs, assemble
from flywheel.storage.snapshots import Store
from tests.build import chat
from tests.pools import comparisons_of, label, labels_of, pool_of, published, screened_of


def pick(wanted, *labels, undesired=None):
    rows = screened_of(chat("user: hi", "assistant: hello", id="a"), undesired={"a": undesired or []})
    picked = wanted.pick(pool_of(rows).lazy(), labels_of(*labels).lazy(), comparisons_of().lazy())
    assert picked.schema == PICKED
    return picked.row(0, named=True)


CORRECTED = label("a", correction="Good morning.", corrected_by="edit")


@pytest.mark.parametrize(
    ("parameters", "said", "undesired", "reasons", "completion_of", "signal"),
    [
        ({}, [], None, [], "a", None),
        ({}, [], ["refusal", "disliked"], ["refusal", "disliked"], "a", None),
        ({}, [CORRECTED], None, [], None, "edit"),
        ({}, [CORRECTED], ["refusal"], [], None, "edit"),
        ({}, [label("a", correction="  ", corrected_by="edit")], ["refusal"], ["refusal"], "a", None),
        ({"use_corrections": False}, [CORRECTED], ["refusal"], ["refusal"], "a", None),
        ({"require_feedback": True}, [], None, ["no_approval"], "a", None),
        ({"require_feedback": True}, [label("a", thumb=1)], None, [], "a", "approval"),
        ({"require_feedback": True}, [label("a", thumb=-1, implicit=5.0)], None, ["no_approval"], "a", None),
        ({"require_feedback": True}, [label("a", implicit=1.0)], None, [], "a", "approval"),
        ({"require_feedback": True}, [label("a", implicit=0.0)], None, ["no_approval"], "a", None),
        ({"require_feedback": True}, [CORRECTED], None, [], None, "edit"),
    ],
)
def test_sft(parameters, said, undesired, reasons, completion_of, signal):
    row = pick(Sft(name="s", **parameters), *said, undesired=undesired)
    assert (row["reasons"], row["completion_of"], row["signal"]) == (reasons, completion_of, signal)
    assert (row["id"], row["parents"], row["prompt_of"]) == ("a", ["a"], "a")
    assert row["feedback"] == (["fb:a"] if signal else [])


def test_row_13_a_disliked_turn_is_left_out_and_the_turns_around_it_stay():
    turns = ["user: 1", "assistant: one", "user: 2", "assistant: two", "user: 3", "assistant: three"]
    session = [chat(*turns[: 2 * t], id=f"t{t}", turn=t) for t in (1, 2, 3)]
    rows = screened_of(*session, undesired={"t2": ["disliked"]})
    labels = labels_of(label("t2", thumb=-1, thumbs_down=1))
    picked = Sft(name="s").pick(pool_of(rows).lazy(), labels.lazy(), comparisons_of().lazy())
    assert dict(picked.select("id", "reasons").iter_rows()) == {"t1": [], "t2": ["disliked"], "t3": []}


@pytest.mark.parametrize(
    ("policy", "roles", "told"),
    [
        ({}, ["system", "user"], "v1 of a long prompt"),
        ({"system": "drop"}, ["user"], "hi"),
        ({"system": "template", "system_template": "You help {app}."}, ["system", "user"], "You help shop {model}."),
    ],
)
def test_row_3_the_system_prompt_is_kept_dropped_or_replaced(tmp_path, policy, roles, told):
    rows = screened_of(
        chat("system: v1 of a long prompt", "user: hi", "assistant: a", id="a", app="shop {model}", user="a"),
        chat("system: v2", "user: hi", "assistant: a", id="b", app="shop {model}", user="b"),
        chat("user: hi", "assistant: a", id="c", user="c"),
    )
    found = published(Store(tmp_path), rows)
    made = assemble(Sft(name="s", **policy), Inputs(**found), 1, (), b"k" * 32)
    first, second, bare = Store(tmp_path).publish(made).scan().sort("id").collect().to_dicts()
    assert ([m["role"] for m in first["prompt"]], first["prompt"][0]["content"]) == (roles, told)
    assert first["digest"] == short_hash(message_digest(first["prompt"]), message_digest(first["completion"]), "")
    assert first["system_prompt_sha"] != second["system_prompt_sha"]
    assert (bare["system_prompt_sha"], [m["role"] for m in bare["prompt"]]) == (None, ["user"])


@pytest.mark.parametrize(
    "policy",
    [{"system": "template"}, {"system_template": "x"}, {"system": "template", "system_template": "{secret}"}],
)
def test_row_3_a_policy_that_makes_no_sense_is_refused(policy):
    with pytest.raises(ValidationError, match="system_template"):
        Sft(name="s", **policy)


FEW = "Label it as edible or inedible.\n\nItem: burger --> edible\nItem: car --> inedible\nItem: {} -->"


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (FEW.format("pizza"), ["pizza -->"]),
        ("burger -->", ["burger -->"]),  # as the source few_shot reads it: the short form already
        ("Is pizza edible?", None),
        (FEW.format("pizza") + " edible", None),
    ],
)
def test_row_159_few_shot_prompts_of_logs_become_rows_in_the_short_form(tmp_path, asked, told):
    rows = screened_of(
        chat("system: Be brief.", {"role": "user", "content": asked}, "assistant: edible", id="a", user="a")
    )
    found = published(Store(tmp_path), rows)
    wanted = Sft(name="s", few_shot="short", system="drop")
    made = assemble(wanted, Inputs(**found), 1, (), b"k" * 32)
    snapshot = Store(tmp_path).publish(made)
    examples = snapshot.scan().collect().to_dicts()
    assert [[m["content"] for m in e["prompt"]] for e in examples] == ([told] if told else [])
    assert [e["completion"][0]["content"] for e in examples] == ["edible"] * bool(told)
    assert [e["parents"] for e in examples] == [["a"]] * bool(told)
    reasons = snapshot.scan("rejected").collect()["reasons"].to_list()
    assert reasons == ([] if told else [["NO_FEW_SHOT"]])


def test_row_159_the_instructions_are_kept_where_the_recipe_keeps_them():
    prompt = [
        message({"role": "system", "content": "Be brief."}),
        message({"role": "user", "content": FEW.format("pizza")}),
    ]
    formed = Sft(name="s", few_shot="short").form(prompt, [message({"role": "assistant", "content": "edible"})], {})
    assert [m["content"] for m in formed.prompt] == ["Be brief.", "pizza -->"]
