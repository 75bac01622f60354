import pytest

from flywheel.filters.repetitive import Repetitive
from tests.build import chat

VERSE = "Roses are red and violets are blue, sugar is sweet and so are you my dear.\n"
CODE = "\n".join(f"    if value == {n}:\n        return names[{n}]" for n in range(12))


@pytest.mark.parametrize(
    ("reply", "rejected"),
    [
        ("I do not know what to say. " * 10, True),
        (
            "The same line stands here again\n" * 4 + "and one different ending of some other kind follows it here now",
            True,
        ),
        ("| " * 60, True),
        ("ha ha ha ha ha ha ha ha", False),
        (
            VERSE
            + "".join(f"Verse {n} is about {n} quite other things, told slowly and with some care.\n" for n in range(5))
            + VERSE,
            False,
        ),
        (CODE, False),
        (" ".join(f"word{n}" for n in range(60)), False),
        ("", False),
    ],
)
def test_repetitive(reply, rejected):
    row = chat("user: go", {"role": "assistant", "content": reply})
    assert row.select(Repetitive().reject()).item() is rejected
