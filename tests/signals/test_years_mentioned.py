import pytest

from flywheel.signals.years_mentioned import YearsMentioned
from tests.build import chat


@pytest.mark.parametrize(
    ("said", "first", "last"),
    [
        ("The act came into force in 1890.", 1890, 1890),
        ("Since 1890 and until 1920 it was law.", 1890, 1920),
        ("signed on May 4, 1890", 1890, 1890),
        ("signed on 1890-05-04", 1890, 1890),
        ("between 1890-1895", 1890, 1895),
        ("the Weimar Republic (1919)", 1919, 1919),
        ("fashion of the 1920s", 1920, 1929),
        ("the 19th century", 1801, 1900),
        ("19세기의 법", 1801, 1900),
        ("1890년 5월 4일에 서명", 1890, 1890),
        ("the Companies Act of 2006", 2006, 2006),
        ("Write in 1500 words about it", None, None),
        ("I paid 2000 dollars", None, None),
        ("use port 1080 or 2049", None, None),
        ("resize it to 1920x1080", None, None),
        ("from 1500 users to 2000 users", None, None),
        ("it costs 1999.99", None, None),
        ("stop after 1000 tries, or by 1423", None, None),
        ("call it with (1024, 2) or `in 1890`", None, None),
        ("see\n```\nlisten in 1024\n```", None, None),
        ("Hello", None, None),
        ("", None, None),
    ],
)
def test_years_are_told_from_numbers(said, first, last):
    found = YearsMentioned().measure(chat(f"user: {said}", "assistant: ok").lazy()).collect()
    assert found.select("first_year", "last_year").row(0) == (first, last)


def test_it_is_measured_where_a_filter_reads_it():
    from flywheel.recipe import parse_recipe

    with_filter = parse_recipe('name = "r"\n[[filter]]\nuse = "out_of_period"\nfirst = 1990\n')
    assert "years_mentioned" in {s.use for s in with_filter.signals}
    assert "years_mentioned" not in {s.use for s in parse_recipe('name = "r"\n').signals}
