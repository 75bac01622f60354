"""Limits of services: refused, remarked on, or left out."""

import pytest

from flywheel.exports import EXPORTS
from flywheel.formats.limits import file_faults, file_remarks, limits, too_long


@pytest.mark.parametrize(
    ("use", "rows", "size", "says"),
    [
        ("fireworks", 3_000_001, 10, "3,000,001 rows"),
        ("fireworks", 3_000_000, 10, None),
        ("openai", 10, 512 * 2**20 + 1, "536,870,913 bytes"),
        ("openai", 10, 512 * 2**20, None),
        ("trl", 10**9, 10**12, None),
    ],
)
def test_row_163_a_file_beyond_a_limit_is_refused(use, rows, size, says):
    faults = file_faults(use, "train.jsonl", rows, size)
    assert [says in f and str(limits(use).as_of) in f for f in faults] == ([True] if says else [])


@pytest.mark.parametrize(
    ("use", "rows", "says"),
    [
        ("openai", 9, "fewer than 10"),
        ("openai", 10, ""),
        ("gemini", 99, "advises at least 100"),
        ("fireworks", 2, "than 3"),
    ],
)
def test_row_163_a_small_file_is_remarked_on(use, rows, says):
    found = [r for r in file_remarks(use, "train.jsonl", rows) if "lines" in r]
    assert [says in r for r in found] == ([True] if says else [])


def test_row_163_a_service_that_closes_says_when():
    assert any(
        "openai itself starts no training from 2027-01-06 on" in r for r in file_remarks("openai", "t.jsonl", 99)
    )
    assert file_remarks("fireworks", "t.jsonl", 99) == []


def test_a_row_beyond_the_context_is_left_out():
    assert too_long("openai", b"?1!a" * 20_000)
    assert not too_long("openai", b"a" * 65_536)
    assert not too_long("trl", b"?1!a" * 400_000)


def test_every_limit_is_of_a_format():
    import tomllib
    from importlib.resources import files

    told = tomllib.loads(files("flywheel").joinpath("exports_limits.toml").read_text())
    assert set(told) - {"as_of"} <= set(EXPORTS)
