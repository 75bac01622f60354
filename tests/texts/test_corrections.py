"""Corrections and questions asked again, in English and Korean."""

import polars as pl
import pytest

from flywheel.texts.corrections import asks_again, corrects


@pytest.mark.parametrize(
    "text",
    [
        "no, I meant EUR",
        "No. I meant the invoice, not the receipt.",
        "Sorry, I was asking about Tuesday",
        "I meant next week",
        "I asked for the total in euros!",
        "that's wrong, it closes at nine",
        "No that is not what I asked",
        "you misunderstood me",
        "No, it's not the red one",
        "nope, use the other one instead",
        "You didn't answer my question",
        "아니, 유로 말고 달러",
        "아니요 제가 말한 건 내일이에요",
        "그게 아니라 배송 주소요",
        "제 말은 환불이었어요",
        "답이 틀렸어요",
        "금액이 아니라 날짜를 물어봤어요",
        "그건 아니고 두 번째 거요",
    ],
)
def test_row_14_a_correction_is_recognised(text):
    assert pl.select(corrects(pl.lit(text))).item()


@pytest.mark.parametrize(
    "text",
    [
        "No, thanks!",
        "no problem, that works",
        "No, that's all. Thank you!",
        "EUR",
        "Thanks, what about Tuesday?",
        "I mean it, you are great",
        "What does it mean to be wrong?",
        "Is it not possible to pay by card?",
        "Actually, one more thing: do you ship to Korea?",
        "아니요, 괜찮아요. 감사합니다",
        "다른 질문이 있어요",
        "아니 정말 고마워요",
        "",
    ],
)
def test_row_14_what_is_no_correction_is_left_alone(text):
    assert not pl.select(corrects(pl.lit(text))).item()


@pytest.mark.parametrize(
    ("text", "before", "again"),
    [
        ("how long does shipping to Korea take?", "How long does the shipping to Korea take", True),
        ("how much is the blue one?", "How long does shipping to Korea take?", False),
        ("why?", "why?", False),  # too short to tell
        ("배송은 언제 도착 하나요", "배송은 언제 도착 하나요?", True),
        (None, "why is that so", False),
    ],
)
def test_row_14_a_question_asked_again_is_recognised(text, before, again):
    assert pl.select(asks_again(pl.lit(text, dtype=pl.String), pl.lit(before))).item() is again
