import polars as pl
import pytest

from flywheel.signals.toxicity import WORDS, Toxicity, score
from tests.build import chat, rows


def scores(*texts: str, min_known: float = 0.5) -> list[float | None]:
    return score(pl.Series(texts, dtype=pl.String), min_known).to_list()


@pytest.mark.parametrize("text", ["You stupid bitch, fuck off", "shut up, you dumb asshole"])
def test_insults_score_high(text: str) -> None:
    assert (scores(text)[0] or 0) > 0.9


@pytest.mark.parametrize(
    "text",
    [
        "Your order left our warehouse this morning and arrives on Tuesday.",
        "Please explain how to kill a process in Linux.",
        "The hen sits on her eggs at dawn.",
    ],
)
def test_plain_talk_scores_low(text: str) -> None:
    assert scores(text)[0] < 0.5


@pytest.mark.parametrize(
    "text",
    [
        "",
        "!?",
        "라우터를 초기화하는 방법을 알려 주세요",
        "씨발 개새끼야 꺼져",  # the model knows no Korean, and says so
        "Wie setze ich das Gerät zurück, verdammt noch mal?",
        "東京の天気は?",
    ],
)
def test_what_it_cannot_read_has_no_score(text: str) -> None:
    assert scores(text) == [None]


def test_case_punctuation_and_company_change_nothing() -> None:
    one, two, three = scores("You idiot!", "you... IDIOT", "a quiet day at home")
    assert one == two == scores("You idiot!")[0]
    assert three == scores("a quiet day at home")[0]


def test_both_texts_of_a_call_are_measured() -> None:
    frame = rows(
        chat("user: You stupid bitch, fuck off", "assistant: I am sorry that you are upset today.", id="a:1"),
        chat("assistant: nobody asked me this question", id="a:2"),
    )
    told = Toxicity().measure(frame.lazy()).collect().rows_by_key("id", named=True, unique=True)
    assert told["a:1"]["input_toxicity"] > 0.9 > 0.5 > told["a:1"]["reply_toxicity"]
    assert told["a:2"]["input_toxicity"] is None
    assert told["a:2"]["reply_toxicity"] is not None


def test_the_model_is_small_and_comes_with_its_notice() -> None:
    assert WORDS.stat().st_size < 1_500_000
    assert "MIT License" in WORDS.with_name("NOTICE.md").read_text()
