import pytest

from flywheel.signals.language import Language
from tests.build import chat


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("What is the capital of France, and why?", "en"),
        ("오늘 날씨가 정말 좋네요.", "ko"),
        ("네", "ko"),
        ("ㅋㅋㅋ", "ko"),
        ("Python 코드를 어떻게 고쳐야 하나요?", "ko"),
        ("How do I say hello in Korean: 안녕?", "en"),
        ("Où se trouve la bibliothèque la plus proche, s'il vous plaît ?", "fr"),
        ("東京の天気はどうですか", "ja"),
        ("hi", "und"),
        ("12345 + 67890 = ?", "und"),
        ("", "und"),
    ],
)
def test_language_of_what_the_user_wrote(text, language):
    found = Language().measure(
        chat("system: 당신은 친절한 비서입니다", f"user: {text}", "assistant: Bonjour à tous").lazy()
    )
    assert found.collect().rows() == [("openai_chat:r1", language)]


def test_a_call_without_user_is_undetermined():
    assert (
        Language().measure(chat("system: Say hello to everyone", "assistant: Hello").lazy()).collect().row(0)[1]
        == "und"
    )
