"""Files that mix shapes, and faults told as sentences."""

import pytest

from flywheel.errors import ExportInvalid
from flywheel.exports.together import Together
from tests.trainers import PAIR, PLAIN, written


def test_a_file_that_mixes_shapes_is_refused(tmp_path):
    lines = [Together().render(g) for g in (PLAIN, PAIR)]
    with pytest.raises(ExportInvalid, match="mixes lines of the kinds pair, pictured"):
        Together().validate_file(written(tmp_path / "a.jsonl", *lines))


@pytest.mark.parametrize("line", [b"[]\n", b"7\n", b'{"a": NaN}\n', b'{"text": "\xff"}\n', b"\n"])
def test_what_is_no_object_is_refused(tmp_path, line):
    with pytest.raises(ExportInvalid, match="line 1"):
        Together().validate_file(written(tmp_path / "a.jsonl", line))
