"""What is looked for is found however it is written, and nothing else is."""

import json

import polars as pl
import pytest

from flywheel.erasure.needles import MOST, Needles, pieces, sampled

TEXT = "the heron waits beside the green lock"
KOREAN = "보라색 두더지가 달빛 아래에서 노래를 부르는 까닭"
SOUGHT = Needles(quoted=("alice smith",), ids=("req_12",), texts=(TEXT, KOREAN))


def in_bytes(data: bytes) -> set[str]:
    return set().union(*(held for _, held in SOUGHT.in_bytes([data])))


@pytest.mark.parametrize(
    ("data", "held"),
    [
        (json.dumps({"user_id": "alice smith"}).encode(), {"alice smith"}),
        (b"Dear alice smith, hello", set()),  # a name in a text is not the user's id
        (b'"openai_chat:req_12#1"', {"req_12"}),
        (b"req_120 xreq_12", set()),
        (b"..." + TEXT.encode() + b"...", {TEXT}),
        (json.dumps({"content": KOREAN}).encode(), {KOREAN}),
        (json.dumps({"content": KOREAN}, ensure_ascii=False).encode(), {KOREAN}),
        (b"\xff\xfe\x00" * 100, set()),
    ],
)
def test_in_bytes(data, held):
    assert in_bytes(data) == held


def test_in_a_column_a_name_counts_as_a_whole_cell():
    assert SOUGHT.in_texts(pl.Series(["alice smith", "bob"])) == {"alice smith"}
    assert SOUGHT.in_texts(pl.Series(["says alice smith", None, "req_12"])) == {"req_12"}
    assert SOUGHT.in_texts(pl.Series([f"x{KOREAN}y"])) == {KOREAN}
    assert SOUGHT.without([TEXT]).in_texts(pl.Series([TEXT])) == set()
    assert Needles().in_texts(pl.Series([TEXT])) == set()


@pytest.mark.parametrize("text", [TEXT, KOREAN, 'He said "' + TEXT + '" and \\ left', "a\n" + TEXT + "\tb<i>" + KOREAN])
def test_pieces_of_a_text_are_in_every_json_of_it(text):
    found = pieces(text)
    assert found
    for dumped in (json.dumps(text), json.dumps(text, ensure_ascii=False)):
        for piece in found:
            assert piece in dumped or json.dumps(piece)[1:-1] in dumped


def test_a_short_text_has_no_pieces():
    assert pieces("yes, please") == []


def test_of_very_many_those_with_the_smallest_hash():
    many = [f"id-{n}" for n in range(MOST + 500)]
    assert len(sampled(many)) == MOST
    assert sampled(many) == sampled(reversed(many))
