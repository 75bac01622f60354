"""Every filter and every row signal takes whatever text a log may hold, in bounded time."""

import time

import polars as pl
import pytest

from flywheel.filters import FILTERS
from flywheel.labels import LABELS
from flywheel.recipe import Recipe
from flywheel.signals import SIGNALS
from flywheel.stages.curate import judge
from tests.build import chat, rows
from tests.test_laws import made

RULES = [
    {"use": "matches", "name": f"rule_{n}", "column": column, "operator": operator, "value": value}
    for n, (column, operator, value) in enumerate(
        [
            ("reply", "matches", "^(a+)+$"),
            ("text", "matches", "(.*a){9}b"),
            ("reply", "has_word", ["환불", "never said"]),
            ("user_text", "contains", ["\u2028", "\u200b", "never said"]),
            ("metadata.plan", "is", "pro"),
        ]
    )
]
FEW = {
    "empty": "",
    "one character": "x",
    "white space": " \n\t\r\n\u3000 ",
    "line separators": "a\u2028b\u2029c\x85d\x0be",
    "right to left": "\u202eabc\u202c مرحبا بالعالم שלום\u200f",
    "zero width": "a\u200b\u200c\u200d\ufeffb" * 20,
    "combining": "e" + "\u0301" * 500,
    "nulls": "\x00" * 50,
    "escapes": "\x1b[2J\x1b[31mred",
    "replaced surrogates": b"\xed\xa0\x80".decode("utf-8", "replace") * 9,
    "beyond the plane": "\U0010ffff\U0001f468\u200d\U0001f469",
    "base64": "QUJD" * 300,
    "code fences": "```" * 101,
    "json": '{"a":' * 300 + "1" + "}" * 300,
    "tags": "<a " * 300,
}
MANY = {
    "one letter": "a" * 5_000_000,
    "one word": "word " * 1_000_000,
    "lines": "- x\n" * 1_250_000,
    "empty lines": "\n" * 5_000_000,
    "base64": "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY" * 110_000,
    "hangul": "환불은 사흘 안에 처리됩니다. " * 120_000,
    "han": "漢字" * 800_000,
    "digits and signs": "1 + 2 = 3; " * 450_000,
    "nested": "[" * 5_000_000,
    "backticks": "`a` " * 1_250_000,
    "zero width": "\u200b" * 1_600_000,
    "not words": "123456789.123456789.0 " * 230_000,
}


def row(text: str, **columns: object) -> pl.DataFrame:
    turns = [{"role": "user", "content": text}, {"role": "assistant", "content": text}]
    return chat(*turns, metadata='{"plan": "pro"}', **columns)


def judged(frame: pl.DataFrame) -> pl.DataFrame:
    """Verdicts of every filter there is, over every row signal that is not asked of a model."""
    filters = [made("filter", use) for use in FILTERS if use != "matches"]
    recipe = Recipe.model_validate({"name": "r", "filter": [*[f.model_dump(mode="json") for f in filters], *RULES]})
    for use in SIGNALS:
        signal = made("signal", use)
        if signal.scope == "row" and signal.absent() is None:
            frame = frame.join(signal.measure(frame.lazy()).collect(), on="id", how="left")
    for column in sorted({c for f in recipe.filters for c in f.needs} - set(frame.columns)):
        frame = frame.with_columns(pl.lit(None, dtype=LABELS.get(column, pl.Float64)).alias(column))
    return judge(frame.lazy(), recipe.filters).collect()


def test_texts_made_to_hurt_are_judged_one_by_one_as_together():
    frame = rows(*[row(text, id=f"s:{n:02}") for n, text in enumerate(FEW.values())])
    together = judged(frame).select("id", "reasons", "undesired")
    apart = pl.concat([judged(one).select("id", "reasons", "undesired") for one in frame.iter_slices(1)])
    assert together.equals(apart)
    told = dict(zip(FEW, together["reasons"].to_list(), strict=True))
    assert "empty_reply" in told["empty"]
    assert {"blob", "garbled"} <= {*told["base64"], *told["nulls"]}
    assert "garbled" in told["replaced surrogates"]
    for name in ("right to left", "line separators", "beyond the plane", "combining"):
        assert not {"garbled", "symbol_heavy", "blob", "repetitive"} & set(told[name]), name


@pytest.mark.slow
@pytest.mark.parametrize("name", MANY)
def test_five_megabytes_take_seconds_at_most(name):
    frame = row(MANY[name])
    for use in SIGNALS:
        signal = made("signal", use)
        if signal.scope != "row" or signal.absent() is not None or use not in ("texture", "repetition", "length"):
            continue
        started = time.process_time()
        signal.measure(frame.lazy()).collect()
        assert time.process_time() - started < 8, use
    started = time.process_time()
    told = judged(frame)
    assert told.height == 1
    assert time.process_time() - started < 60
