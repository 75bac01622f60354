import pytest

from flywheel.signals.detail import Detail
from tests.build import chat


@pytest.mark.parametrize(
    ("said", "detail"),
    [
        ("Write a poem.", "short"),
        ("가을에 대한 시를 써줘", "short"),
        ("Write a poem in a formal tone, at most 40 words, for example like Frost's.", "detailed"),
        ("격식 있는 말투로 300자 이내로, 예시처럼 표로 써줘. 이모지는 제외하고.", "detailed"),
        ("Explain gravity to me. " + "I know a little of it already. " * 8, "detailed"),
        ('Follow these:\n- do not rhyme\n- use the word "amber"\n- end with a question', "detailed"),
        ("I have 3 words for you", "short"),
        ("", "short"),
    ],
)
def test_row_29_how_much_an_instruction_says(said, detail):
    told = Detail().measure(chat(f"user: {said}", "assistant: ok").lazy()).collect()
    assert told["detail"].to_list() == [detail]


def test_both_bounds_are_the_recipes():
    said = chat("user: Write it in a formal tone, please", "assistant: ok").lazy()
    assert Detail(words=5).measure(said).collect().row(0)[1:] == ("detailed", 1)
    assert Detail(references=1).measure(said).collect()["detail"].item() == "detailed"
    assert Detail().measure(said).collect()["detail"].item() == "short"
