import pytest

from flywheel.signals.reply_language import ReplyLanguage
from tests.build import chat

ENGLISH = "The museum opens at nine and closes at six every day."


@pytest.mark.parametrize(
    ("asked", "reply", "expected"),
    [
        (ENGLISH, "박물관은 매일 엽니다", ("ko", "en")),
        ("박물관은 언제 여나요?", ENGLISH, ("en", "ko")),
        (ENGLISH, "Le musée ouvre à neuf heures et ferme à dix-huit heures.", ("fr", "en")),
        (ENGLISH, "東京の美術館は毎日九時に開いて、六時に閉まります。", ("ja", "en")),
        ("hi", "ok", ("und", "und")),
        (ENGLISH, f"```\n{ENGLISH * 20}\n```\n코드입니다", ("ko", "en")),
        (ENGLISH, f"`{ENGLISH}`", ("und", "en")),
        ("", "", ("und", "und")),
    ],
)
def test_reply_language(asked, reply, expected):
    row = chat({"role": "user", "content": asked}, {"role": "assistant", "content": reply})
    assert ReplyLanguage().measure(row.lazy()).collect().row(0) == ("openai_chat:r1", *expected)


def test_a_reply_without_text_and_a_prompt_without_messages():
    assert ReplyLanguage().measure(chat({"role": "assistant", "tool_calls": "[]"}).lazy()).collect().row(0)[1:] == (
        "und",
        "und",
    )
