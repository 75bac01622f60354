import pytest

from flywheel.signals.answer_form import AnswerForm
from tests.build import chat


@pytest.mark.parametrize(
    ("said", "form"),
    [
        ("Answer yes or no: is the sky green?", "yes_no"),
        ("True or false? Water is dry.", "yes_no"),
        ("예/아니오로 답하세요. 물은 마른가요?", "yes_no"),
        ("Is this product still available?", "yes_no"),
        ("I bought it last week. Does it come with a charger?", "yes_no"),
        ("이 제품 아직 판매하시나요?", "yes_no"),
        ("Which of the following is a mammal?\nA) trout\nB) whale\nC) robin", "choice"),
        ("다음 중 포유류를 고르시오", "choice"),
        ("Is it red or blue?", "choice"),
        ("Can you write me a poem?", "open"),
        ("Could I get a large coffee?", "open"),
        ("What is it that he does?", "open"),
        ("왜 그렇게 생각하나요?", "open"),
        ("Tell me about Rome.", "open"),
        ("", "open"),
    ],
)
def test_row_28_what_answer_is_wanted(said, form):
    told = AnswerForm().measure(chat(f"user: {said}", "assistant: ok").lazy()).collect()
    assert told["answer_form"].to_list() == [form]
