import pytest

from flywheel.filters.boilerplate_opener import BoilerplateOpener
from tests.build import chat


@pytest.mark.parametrize(
    ("reply", "rejected"),
    [
        ("As an AI language model, I have no opinion.", True),
        ("Certainly! Here is the code:", True),
        ("**Certainly!\nHere's** the code:", True),
        ("I’m just an AI, but", True),
        ("물론입니다! 다음은 예시입니다.", True),
        ("AI 언어 모델로서 저는", True),
        ("The phrase 'As an AI language model' is a stock phrase.", False),
        ("Certainly not.", False),
        ("Sure.", False),
        ("좋은 질문을 하는 법", False),
        ("", False),
    ],
)
def test_boilerplate_opener(reply, rejected):
    row = chat("user: go", {"role": "assistant", "content": reply})
    assert row.select(BoilerplateOpener().reject()).item() is rejected


def test_the_phrases_are_the_recipes():
    row = chat("user: go", "assistant: Howdy (partner)! x")
    assert row.select(BoilerplateOpener(phrases=("Howdy (partner)",)).reject()).item() is True
    assert BoilerplateOpener.rejects == "target"
