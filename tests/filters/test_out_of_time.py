import datetime as dt

import pytest
from pydantic import ValidationError

from flywheel.filters.out_of_time import OutOfTime
from tests.build import chat

MARCH = {"first": dt.date(2026, 3, 1), "last": dt.date(2026, 3, 31)}


@pytest.mark.parametrize(
    ("when", "bounds", "rejected"),
    [
        ("1890-06-01T00:00:00+00:00", {"first": dt.date(2000, 1, 1)}, True),  # row 17: law of today
        ("1890-06-01T00:00:00+00:00", {"last": dt.date(1900, 12, 31)}, False),  # row 17: law of the 19th century
        ("2026-03-01T00:00:00+00:00", MARCH, False),
        ("2026-03-31T23:59:59.999+00:00", MARCH, False),
        ("2026-02-28T23:59:59+00:00", MARCH, True),
        ("2026-04-01T00:00:00+00:00", MARCH, True),
        ("2026-04-01T08:00:00+09:00", MARCH, False),  # still March, UTC
    ],
)
def test_out_of_time(when, bounds, rejected):
    row = chat("user: hi", "assistant: hello", occurred_at=dt.datetime.fromisoformat(when).astimezone(dt.UTC))
    assert row.select(OutOfTime(**bounds).reject()).item() is rejected


@pytest.mark.parametrize(
    ("bounds", "says"),
    [({}, "neither a first nor a last day"), ({"first": MARCH["last"], "last": MARCH["first"]}, "is after the last")],
)
def test_bounds_that_cannot_be(bounds, says):
    with pytest.raises(ValidationError, match=says):
        OutOfTime(**bounds)
