import pytest

from flywheel.recipe import parse_recipe
from flywheel.signals.task_type import TaskType
from tests.build import chat, rows


@pytest.mark.parametrize(
    ("said", "task"),
    [
        ("Translate the English sentence into Chinese.", "translate"),
        ("이 문장을 영어로 번역해 주세요", "translate"),
        ("Can you summarise this article?", "summarise"),
        ("다음 회의록을 세 줄로 요약해줘", "summarise"),
        ("Extract all the place names from the paragraph.", "extract"),
        ("아래 글에서 날짜를 추출해 주세요", "extract"),
        ("Classify the review as positive or negative.", "classify"),
        ("Detect if the thread contains hate speech.", "classify"),
        ("이 리뷰가 긍정인지 부정인지 알려줘", "classify"),
        ("Write a Python function that reverses a list", "code"),
        ("What does this do?\n```\nx = 1\n```", "code"),
        ("파이썬 함수를 작성해줘", "code"),
        ("Write an essay about the class system", "write"),
        ("Rewrite this so that it sounds friendlier", "rewrite"),
        ("이 문장을 더 정중하게 고쳐줘", "rewrite"),
        ("Write a poem about autumn", "write"),
        ("가을에 대한 시를 써줘", "write"),
        ("There are 3 cars with 4 wheels. How many wheels are there?", "calculate"),
        ("37과 48을 더하면 몇 개야? 계산해줘", "calculate"),
        ("I'd like to order a large latte", "request"),
        ("주문을 취소하고 싶어요", "request"),
        ("What is the capital of France?", "question"),
        ("프랑스의 수도는 어디인가요", "question"),
        ("hello there", "chat"),
        ("오늘 너무 힘들었어", "chat"),
        ("the translated version was poor, sadly", "other"),
        ("", "other"),
    ],
)
def test_row_28_tasks_are_told_by_their_words(said, task):
    told = TaskType().measure(chat(f"user: {said}", "assistant: ok").lazy()).collect()
    assert told["task_type"].to_list() == [task]


def test_the_last_message_of_the_user_counts_and_the_middle_of_a_long_one_is_matter():
    long = "Summarise this. " + "They translate and classify. " * 100
    given = rows(
        chat("user: translate it", "assistant: done", "user: thanks", "assistant: welcome", id="s:1"),
        chat(f"user: {long}", "assistant: ok", id="s:2"),
        chat("assistant: nobody asked", id="s:3"),
    )
    assert TaskType().measure(given.lazy()).collect()["task_type"].to_list() == ["chat", "summarise", "other"]


def test_it_costs_nothing_until_somebody_reads_it():
    plain = 'name = "r"\n[[set]]\nname = "a"\nuse = "sft"\nexport = ["trl"]\n'
    asked = plain + "[set.mix.task_type]\ncode = 1.0\n"
    assert "task_type" not in [s.use for s in parse_recipe(plain).signals]
    assert "task_type" in [s.use for s in parse_recipe(asked).signals]
