"""A reply with what signals of single rows measure of it, for the tests of the filters that read them."""

import polars as pl

from flywheel.kinds import Filter
from flywheel.recipe import Recipe
from tests.build import chat

HARMLESS = (
    "",
    "Yes.",
    "환불은 영업일 기준 사흘 안에 처리됩니다. 카드사에 따라 며칠 더 걸릴 수 있습니다. " * 3,
    "ご注文の品は本日発送いたしました。お届けまで二、三日かかります。" * 3,
    "سيصل طلبك خلال ثلاثة أيام عمل، ويمكنك متابعته من صفحة الطلبات. " * 3,
    "Use a loop:\n\n```python\nfor i in range(10):\n    if a[i] != b[i]: x += {i: [1, 2, (3)]}[i] ** 2\n```\n" * 3,
    "| plan | price |\n|------|------:|\n| one | $5 |\n| two | $9 |\n| three | $12 |\n| plan | price |\n|------|------:|\n| one | $5 |\n| two | $9 |\n| three | $12 |\n"
    * 2,
    '{"city": "Seoul", "days": [1, 2, 3], "ok": true}',
)
"""Replies that no filter on the texture of a text may take: short ones, other scripts, code, a table, JSON."""


def verdict(rule: Filter, reply: str, asked: str = "go", **columns: object) -> bool | None:
    """What a filter says of one reply, measured by the signals it reads."""
    frame = chat(f"user: {asked}", {"role": "assistant", "content": reply}, **columns)
    return measured(frame, rule).select(rule.reject()).item()


def measured(rows: pl.DataFrame, rule: Filter) -> pl.DataFrame:
    """The rows with the columns of signals that a filter reads."""
    read = [s for s in Recipe(name="r", filter=(rule,)).signals if not set(s.gives).isdisjoint(rule.needs)]
    for signal in read:
        rows = rows.join(signal.measure(rows.lazy()).collect(), on="id", how="left")
    return rows
