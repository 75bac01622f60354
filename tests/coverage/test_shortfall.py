import pytest

from flywheel.coverage.shortfall import Shortfall, beyond, short_of, sure_gap, told, wilson


@pytest.mark.parametrize(
    ("have", "n", "least", "replacing", "adding"),
    [
        pytest.param(110, 500, 0.30, 40, 58, id="row 27"),
        pytest.param(12, 1000, 0.05, 38, 40, id="row 8"),
        pytest.param(10, 1000, 0.05, 40, 43, id="row 41"),
        (150, 500, 0.30, 0, 0),
        (0, 0, 0.5, 0, 0),
        (0, 10, 0.1, 1, 2),
        (1, 3, 2 / 3, 1, 3),
        (9, 10, 1.0, 1, None),
        (10, 10, 1.0, 0, 0),
        (7, 10, 0.7, 0, 0),
    ],
)
def test_rows_short_of_a_share(have, n, least, replacing, adding):
    assert short_of(have, n, least) == (replacing, adding)


@pytest.mark.parametrize("n", [1, 7, 60, 333])
@pytest.mark.parametrize("least", [0.01, 0.08, 0.3, 1 / 3, 0.5, 0.95])
def test_the_numbers_are_the_smallest_that_will_do(n, least):
    from fractions import Fraction

    share = Fraction(least).limit_denominator(1_000_000)
    for have in range(n + 1):
        replacing, adding = short_of(have, n, least)
        assert have + replacing >= share * n
        assert replacing == 0 or have + replacing - 1 < share * n
        assert have + adding >= share * (n + adding)
        assert adding == 0 or have + adding - 1 < share * (n + adding - 1)


def test_row_33_rows_beyond_a_share():
    assert beyond(600, 1000, 0.5) == (100, 200)
    assert beyond(500, 1000, 0.5) == (0, 0)
    assert beyond(3, 10, 0.0) == (3, None)


def test_it_is_told_in_words():
    assert told(short_of(110, 500, 0.3)) == "40 by replacing, 58 by adding"
    assert told(Shortfall(1, None)) == "1 by replacing, no number by adding"


def test_wilsons_interval_and_a_gap_that_is_sure():
    low, high = wilson(0.22, 500, 0.95)
    assert (round(low, 4), round(high, 4)) == (0.1859, 0.2584)
    assert wilson(0.5, 0, 0.95) == (0.0, 1.0)
    assert sure_gap(0.0, 500, 0.2, 1000, 0.0) == pytest.approx(0.2)
    assert 0.16 < sure_gap(0.0, 500, 0.2, 1000, 0.95) < 0.2
    assert sure_gap(0.5, 10, 0.55, 10, 0.95) == 0.0
    assert sure_gap(0.2, 1000, 0.0, 500, 0.95) == pytest.approx(sure_gap(0.0, 500, 0.2, 1000, 0.95))
