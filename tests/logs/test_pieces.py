"""However a file comes by, it is cut after whole lines, and every byte of it is in one piece."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flywheel.logs import pieces
from flywheel.logs.pieces import Cutter


@settings(deadline=None)
@given(st.text("ab\n", max_size=60).map(str.encode), st.integers(1, 12), st.integers(1, 9))
def test_pieces_are_whole_lines_and_all_of_them(data, size, step):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "PIECE", size)
        cutter = Cutter()
        for at in range(0, len(data), step):
            cutter.feed(data[at : at + step])
        found = cutter.pieces()
    assert b"".join(data[p.offset : p.offset + p.size] for p in found) == data
    for number, piece in enumerate(found):
        mine = data[piece.offset : piece.offset + piece.size]
        assert (piece.number, piece.digest) == (number, hashlib.sha256(mine).hexdigest())
        assert piece.line == 1 + data[: piece.offset].count(b"\n")
        last = number == len(found) - 1
        assert last or mine.endswith(b"\n")
        assert b"\n" not in mine[size - 1 : -1], "it could have ended sooner"
        assert last or piece.size >= size
