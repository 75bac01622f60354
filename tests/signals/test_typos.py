import pytest

from flywheel.signals.typos import Typos, mistaken
from tests.build import chat


@pytest.mark.parametrize(
    ("said", "typos"),
    [
        ("how do i chnage my adress please", "some"),
        ("i want to recieve teh package", "some"),
        ("How do I change my address please?", "none"),
        ("the colour of the organization is favorite", "none"),
        ("Mr Kowalsky lives in Gdansk with Anya and her dog", "none"),
        ("run numpy on kubernetes with json and async", "none"),
        ("fix `chnage_adress` in the code please", "none"),
        ("몇일 전에 주문했는데 아직 안 왔어요", "some"),
        ("주문이 언제 오는지 알려 주세요", "none"),
        ("ㅋㅋㅋ 정말 재미있네요 그쵸", "none"),
        ("빨리 보내줄께요 걱정 마세요", "some"),
        ("wo ist meine bestellung geblieben bitte", None),
        ("東京の天気は?", None),
        ("hi", None),
        ("", None),
    ],
)
def test_row_30_mistakes_of_the_user(said, typos):
    told = Typos().measure(chat(f"user: {said}", "assistant: ok").lazy()).collect()
    assert told["typos"].to_list() == [typos]
    assert (told["typo_rate"].item() or 0.0) > 0 or typos != "some"


@pytest.mark.parametrize("word", ["adress", "recieve", "teh", "definately", "wihch", "becuase", "compnay"])
def test_one_letter_from_a_common_word(word):
    assert mistaken(word)


@pytest.mark.parametrize(
    "word", ["hahaha", "zzzz", "reset", "unfollow", "emails", "behavior", "gonna", "xyzzyx", "kimchi"]
)
def test_a_word_of_its_own(word):
    assert not mistaken(word)
