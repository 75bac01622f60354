"""Few-shot prompts as rows in the short form."""

import datetime as dt

import orjson
import pytest

from flywheel.errors import Unreadable
from flywheel.sources.few_shot import FewShotPrompts

TABLE_8_4 = "Label the following item as either edible or inedible.\n\nItem: burger --> edible\nItem: car --> inedible\nItem: mushroom --> edible\nItem: {INPUT} -->"
LINE = {"few_shot": TABLE_8_4, "id": "food-v1", "created_at": "2026-03-02T05:00:00Z", "app": "food", "owner": "kim"}


def test_row_159_table_8_4_becomes_three_rows_in_the_short_form():
    assert FewShotPrompts().recognises(LINE)
    rows = FewShotPrompts().read(LINE)
    said = [[m["content"] for m in r["messages"]] for r in rows]
    assert said == [["burger -->", "edible"], ["car -->", "inedible"], ["mushroom -->", "edible"]]
    assert [(r["native_id"], r["choice"], r["app"], r["status"]) for r in rows] == [
        ("food-v1", n, "food", "ok") for n in range(3)
    ]
    assert {r["occurred_at"] for r in rows} == {dt.datetime(2026, 3, 2, 5, tzinfo=dt.UTC)}
    told = orjson.loads(rows[0]["metadata"])
    assert (told["owner"], told["slot"], told["prefix"]) == ("kim", "{INPUT}", "Item: ")
    assert told["instruction"] == "Label the following item as either edible or inedible."
    assert FewShotPrompts.origin == "demonstrated"


@pytest.mark.parametrize(
    ("changed", "reason", "says"),
    [
        ({"few_shot": "Label it: burger"}, "bad_few_shot", "shows no examples"),
        ({"few_shot": 7}, "bad_few_shot", "shows no examples"),
        ({"created_at": None}, "no_timestamp", "add created_at"),
        ({"created_at": "soon"}, "bad_timestamp", "soon"),
    ],
)
def test_what_is_no_few_shot_prompt_is_said(changed, reason, says):
    with pytest.raises(Unreadable, match=says) as refused:
        FewShotPrompts().read(LINE | changed)
    assert refused.value.reason == reason


def test_a_prompt_without_an_id_has_one_of_its_own():
    line = {k: v for k, v in LINE.items() if k != "id"}
    assert FewShotPrompts().read(line)[0]["native_id"].startswith("sha-")
    assert not FewShotPrompts().recognises({"request": {}})
