import polars as pl
import pytest
from pydantic import ValidationError

from flywheel.filters.out_of_period import OutOfPeriod
from flywheel.signals.years_mentioned import YearsMentioned
from tests.build import chat

STATUTE = "The statute of limitations was changed in 1890: claims expire after six years."
STATUTE_KO = "이 법은 1890년에 제정되었고 청구권은 6년 뒤에 소멸합니다."


def rejected(by, said):
    frame = chat("user: When does a claim expire?", f"assistant: {said}")
    return frame.join(YearsMentioned().measure(frame.lazy()).collect(), on="id").select(by.reject()).item()


@pytest.mark.parametrize("said", [STATUTE, STATUTE_KO])
def test_row_17_law_of_today_is_not_that_of_1890_and_law_of_the_19th_century_is(said):
    today, then = OutOfPeriod(first=1990), OutOfPeriod(first=1801, last=1900)
    assert rejected(today, said) is True
    assert rejected(then, said) is False


@pytest.mark.parametrize(
    ("said", "out"),
    [
        ("Claims expire after six years.", None),
        ("The law of 1890 was replaced in 2021.", False),
        ("It was changed in 2021.", False),
        ("It was common in the 19th century.", True),
    ],
)
def test_one_year_within_is_enough(said, out):
    assert rejected(OutOfPeriod(first=1990), said) is out


def test_unmeasured_rows_stay():
    frame = pl.DataFrame(
        {"first_year": [None], "last_year": [None]}, schema={"first_year": pl.Int32, "last_year": pl.Int32}
    )
    assert frame.select(OutOfPeriod(first=1990, last=2026).reject()).to_series().to_list() == [None]


@pytest.mark.parametrize("given", [{}, {"first": 2000, "last": 1990}])
def test_a_period_that_cannot_be_is_refused(given):
    with pytest.raises(ValidationError, match="year"):
        OutOfPeriod.model_validate(given)
