"""Lines of an earlier file and fresh ones, in one order; what is written of them and read back: see tests/stages/test_export.py."""

import pytest

from flywheel.errors import ExportInvalid
from flywheel.formats.rendering import spliced


def test_spliced_lines_keep_their_order():
    told = spliced([0, -1, 2, -1, 3], iter([b"a", b"b", b"c", b"d"]), iter([b"1", b"2"]))
    assert list(told) == [b"a", b"1", b"c", b"2", b"d"]


def test_lines_asked_for_in_another_order_are_not_released():
    told = spliced([0, 2, 1], iter([b"a", b"b", b"c"]), iter(()))
    assert [next(told), next(told)] == [b"a", b"c"]
    with pytest.raises(ExportInvalid, match="line 2 of the earlier release is wanted after line 3"):
        next(told)
