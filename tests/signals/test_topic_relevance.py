import polars as pl
import pytest
from pydantic import ValidationError

from flywheel.errors import RecipeInvalid
from flywheel.filters.off_topic import OffTopic
from flywheel.recipe import parse_recipe
from flywheel.signals.topic_relevance import TopicRelevance
from flywheel.vectors.embeddings import Embedder
from tests.build import chat, rows

BANKING = {
    "description": "Accounts, cards, transfers, loans, fees and online banking of a retail bank, for its customers.",
    "keywords": ["overdraft", "IBAN", "standing order"],
    "examples": [
        "How do I block a lost debit card?",
        "My transfer to another bank has not arrived yet",
        "What interest do I pay on a mortgage loan?",
        "I forgot my online banking password and PIN",
        "Can I raise the limit of my credit card?",
        "Why was I charged a fee on my savings account?",
        "How long does a payment abroad take?",
        "Please send me a statement of my account balance",
        "How do I withdraw cash from an ATM without a card?",
    ],
}
QUESTIONS = [
    "Someone stole my card, can you block it?",
    "How do I change the PIN of my card?",
    "What is the fee for a transfer to Japan?",
    "My account balance looks wrong",
    "Which interest rate do you offer on savings?",
    "I would like to open a joint account with my wife",
    "The payment to my landlord was charged twice",
    "How high may my overdraft be?",
    "Is there a fee for withdrawing cash abroad?",
    "Can I repay my loan early?",
    "Where do I find my account statement for January?",
    "The online banking app does not accept my password",
    "How do I set up a standing order for rent?",
    "What documents do you want for a mortgage?",
    "Why was my credit card declined yesterday?",
]
COOKING = [
    "How long should I boil eggs so that the yolk stays soft?",
    "Give me a recipe for tomato soup with basil",
    "What can I use instead of butter in a sponge cake?",
    "My bread dough does not rise, what is wrong?",
    "Which herbs go well with roast lamb?",
]
BANKING_KO = {
    "description": "은행 계좌, 카드, 이체, 대출, 수수료와 인터넷 뱅킹에 대한 고객 문의",
    "examples": [
        "체크카드를 잃어버렸는데 어떻게 정지하나요?",
        "계좌 이체 한도를 올리고 싶어요",
        "대출 이자는 얼마인가요?",
        "인터넷 뱅킹 비밀번호를 잊어버렸어요",
    ],
}
QUESTIONS_KO = [
    "신용카드 한도를 올릴 수 있나요?",
    "다른 은행으로 이체하면 수수료가 있나요?",
    "대출을 미리 갚을 수 있을까요?",
    "비밀번호를 다시 설정하려면 어떻게 하나요?",
    "계좌를 새로 만들고 싶습니다",
]
COOKING_KO = [
    "김치찌개는 어떻게 끓이나요?",
    "계란을 몇 분 삶아야 하나요?",
    "된장국에 두부를 넣어도 되나요?",
    "빵 반죽이 부풀지 않아요",
    "불고기 양념을 알려 주세요",
]


def relevance(signal, *said):
    frame = rows(*[chat(f"user: {t}", "assistant: Gladly.", id=f"s:{n:02d}") for n, t in enumerate(said)])
    return signal.measure(frame.lazy()).collect()


def off(signal, *said):
    return relevance(signal, *said).select(OffTopic().reject()).to_series().fill_null(False).to_list()


@pytest.mark.parametrize(
    ("topic", "questions", "cooking"), [(BANKING, QUESTIONS, COOKING), (BANKING_KO, QUESTIONS_KO, COOKING_KO)]
)
def test_row_107_five_cooking_rows_in_a_banking_set_are_found_without_a_model(topic, questions, cooking):
    signal = TopicRelevance(topics={"banking": topic})
    told = off(signal, *questions, *cooking)
    assert sum(told[len(questions) :]) >= 4
    assert sum(told[: len(questions)]) <= 1, "what the application is about stays"


@pytest.mark.skipif(bool(why := Embedder("minilm").absent()), reason=str(why))
def test_row_107_by_embeddings():
    signal = TopicRelevance(topics={"banking": BANKING}, method="embedding", model="minilm")
    told = off(signal, *QUESTIONS, *COOKING)
    assert sum(told[len(QUESTIONS) :]) >= 4
    assert sum(told[: len(QUESTIONS)]) <= 1


def test_the_nearest_topic_is_named_and_none_where_none_is_near():
    topics = {
        "banking": BANKING,
        "cooking": {"examples": ["a recipe for soup with basil", "boil an egg", "bake bread"]},
    }
    found = relevance(TopicRelevance(topics=topics), QUESTIONS[0], COOKING[1], "Quantum chromodynamics")
    assert found["topic"].to_list() == ["banking", "cooking", None]
    assert found["topic_relevance"][2] == 0.0


def test_a_keyword_is_a_sure_sign_also_in_a_long_text():
    story = (
        "Yesterday the train was late and it rained, my umbrella broke, the museum had closed and dinner tasted awful. "
    )
    assert (
        relevance(TopicRelevance(topics={"banking": BANKING}), story + "My overdraft grew.")["topic_relevance"].item()
        == 0.5
    )
    assert (
        relevance(TopicRelevance(topics={"banking": BANKING}), story + "A standing crowd.")["topic_relevance"].item()
        < 0.1
    )
    assert (
        relevance(TopicRelevance(topics={"banking": BANKING}), story + "A standing order!")["topic_relevance"].item()
        == 0.5
    )


def test_what_cannot_be_judged_has_no_relevance():
    signal = TopicRelevance(topics={"banking": BANKING})
    assert relevance(signal, "", "What is it?", "?!")["topic_relevance"].to_list() == [None] * 3
    assert off(signal, "", "What is it?", "?!") == [False] * 3


def test_order_and_company_do_not_matter():
    said = [*QUESTIONS, *COOKING, *COOKING_KO, "hi", "IBAN?"]
    frame = rows(*[chat(f"user: {t}", "assistant: Gladly.", id=f"s:{n:02d}") for n, t in enumerate(said)])
    for given in ({}, {"method": "embedding"}):
        signal = TopicRelevance(topics={"banking": BANKING, "bank": BANKING_KO}, **given)
        whole = signal.measure(frame.lazy()).collect()
        assert signal.measure(frame.reverse().lazy()).collect().reverse().equals(whole)
        alone = pl.concat([signal.measure(frame[n : n + 1].lazy()).collect() for n in range(frame.height)])
        assert alone.equals(whole)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"topics": {}}, "at least 1 item"),
        ({"topics": {"a": {"description": " "}}}, "says nothing of the topic"),
        ({"topics": {"a": BANKING}, "model": "minilm"}, "a model is named and would not be asked"),
        (
            {"topics": {"a": BANKING}, "method": "embedding", "model": "m", "endpoint": "http://127.0.0.1:1/v1"},
            "unrelated: is missing",
        ),
    ],
)
def test_what_cannot_be_is_refused(given, sentence):
    with pytest.raises(ValidationError, match=sentence):
        TopicRelevance.model_validate(given)


def test_a_recipe_names_topics():
    text = 'name = "r"\n[[signal]]\nuse = "topic_relevance"\n[signal.topics.banking]\nkeywords = ["IBAN"]\n'
    assert parse_recipe(f'{text}[[filter]]\nuse = "off_topic"\n').signals
    with pytest.raises(RecipeInvalid, match=r'there is no "keyword" here\. Did you mean "keywords"'):
        parse_recipe(text.replace("keywords", "keyword"))
