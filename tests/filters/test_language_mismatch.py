import pytest

from flywheel.filters.language_mismatch import LanguageMismatch
from flywheel.signals.reply_language import ReplyLanguage
from tests.build import chat

ENGLISH = "The museum opens at nine and closes at six every day of the week."
KOREAN = "박물관은 매일 아홉 시에 열고 여섯 시에 닫습니다."
FRENCH = "Le musée ouvre à neuf heures et ferme à dix-huit heures tous les jours."


@pytest.mark.parametrize(
    ("asked", "reply", "rejected"),
    [
        ("박물관은 언제 여나요?", ENGLISH, True),
        ("When does the museum open, and for how long?", KOREAN, True),
        ("When does the museum open, and for how long?", FRENCH, True),
        ("박물관은 언제 여나요?", KOREAN, False),
        ("When does the museum open, and for how long?", ENGLISH, False),
        ("À quelle heure ouvre le musée demain matin ?", FRENCH, False),
        ("다음 문장을 영어로 번역해 주세요: 박물관은 매일 열어요.", ENGLISH, False),
        ("Say it in French please: the museum opens at nine", FRENCH, False),
        ("When does the 박물관 open tomorrow, please tell me soon", KOREAN, False),
        ("hi", KOREAN, False),  # too little to tell
        ("박물관은 언제 여나요?", "OK", False),
        ("파이썬으로 출력하는 법?", "```python\nprint('this is all the code there is to it')\n```", False),
        ("", "", False),
    ],
)
def test_language_mismatch(asked, reply, rejected):
    row = chat({"role": "user", "content": asked}, {"role": "assistant", "content": reply})
    measured = row.join(ReplyLanguage().measure(row.lazy()).collect(), on="id")
    assert measured.select(LanguageMismatch().reject()).item() is rejected


def test_what_was_asked_for_earlier_counts():
    row = chat("system: Always answer in Korean.", "user: When does the museum open?", f"assistant: {KOREAN}")
    measured = row.join(ReplyLanguage().measure(row.lazy()).collect(), on="id")
    assert measured.select(LanguageMismatch().reject()).item() is False
