"""Chain of thought: only reasoning that ends in the right answer."""

import pytest
from pydantic import ValidationError

from flywheel.errors import RecipeInvalid
from flywheel.sets.cot import Cot, found_at
from flywheel.stages.assemble import Inputs, assemble
from flywheel.storage.snapshots import Store
from tests.build import chat
from tests.pools import published, screened_of
from tests.trainers import told

STEPS = "There were 23 apples. They used 20, so 3 were left. They bought 6: 3 + 6 = 9."


def formed(reply, expected="9", **parameters):
    metadata = f'{{"answer": {expected}}}' if expected is not None else None
    return Cot(name="c", **parameters).form([told("user: q")], [told(reply)], {"metadata": metadata})


@pytest.mark.parametrize(
    ("reply", "reasons"),
    [
        (f"assistant: {STEPS}\n#### 9", ()),
        (f"assistant: {STEPS} The answer is 9.", ()),
        (f"assistant: {STEPS} The answer is 8.", ("ANSWER_MISMATCH",)),
        (f"assistant: <think>{STEPS}</think>9", ()),
        (f"assistant: <think>{STEPS}</think>8", ("ANSWER_MISMATCH",)),
        ({"role": "assistant", "reasoning": STEPS, "content": "They have 9 apples."}, ()),
        ({"role": "assistant", "reasoning": STEPS, "content": "They have no apples."}, ("ANSWER_MISMATCH",)),
        ("assistant: 9", ("NO_REASONING",)),
        ("assistant: The answer is 9", ("NO_REASONING",)),
        (f"assistant: {STEPS}\n####", ("NO_ANSWER",)),
    ],
)
def test_row_7_only_verified_traces_are_kept(reply, reasons):
    assert formed(reply).reasons == reasons


def test_row_7_the_reasoning_is_apart_from_the_answer():
    (message,) = formed(f"assistant: {STEPS}\n#### 9").completion
    assert (message["reasoning"], message["content"]) == (STEPS, "9")


@pytest.mark.parametrize(
    ("answer", "expected", "compare", "agrees"),
    [
        ("1,000.00", "1000", "number", True),
        ("$5", "5.0", "number", True),
        ("-5", "5", "number", False),
        ("first 3, then 9", "9", "number", True),
        ("nine", "9", "number", False),
        ("Seoul.", "seoul", "text", True),
        ("Busan", "seoul", "text", False),
    ],
)
def test_answers_are_compared(answer, expected, compare, agrees):
    assert Cot(name="c", compare=compare).agrees(answer, expected) is agrees


@pytest.mark.parametrize(
    ("metadata", "path", "found"),
    [
        ('{"answer": 9}', "answer", "9"),
        ('{"gold": {"answer": "x"}}', "gold.answer", "x"),
        ('{"gold": {"answer": "x"}}', "gold", None),
        ('{"gold": 1}', "gold.answer", None),
        (None, "answer", None),
        ("{", "answer", None),
    ],
)
def test_the_expected_answer_is_looked_up(metadata, path, found):
    assert found_at(metadata, path) == found


def test_no_expected_answer_is_no_example():
    assert formed(f"assistant: {STEPS}\n#### 9", expected=None).reasons == ("NO_EXPECTED_ANSWER",)


def test_a_mark_that_is_no_expression_is_refused():
    with pytest.raises(ValidationError, match=r"answer_mark: the expression .* cannot be used: unclosed group"):
        Cot(name="c", answer_mark="(")


def test_row_7_a_set_of_traces(tmp_path):
    rows = screened_of(
        *[
            chat(
                "user: apples?",
                f"assistant: {STEPS}\n#### {n}",
                id=i,
                user=i,
                conversation_id=i,
                metadata='{"answer": "9"}',
            )
            for i, n in (("good", 9), ("bad", 8))
        ]
    )
    found = published(Store(tmp_path), rows)
    made = Store(tmp_path).publish(assemble(Cot(name="c"), Inputs(**found), 1, (), b"k" * 32))
    assert made.scan().collect()["id"].to_list() == ["good"]
    assert made.scan("rejected").collect().select("id", "reasons").rows() == [("bad", ["ANSWER_MISMATCH"])]


def test_row_7_a_box_is_the_answer_and_everything_is_the_reasoning():
    (message,) = formed(r"assistant: 23 - 20 is 3, and 3 + 6 is \boxed{9}, so nine.").completion
    assert (message["content"], message["reasoning"]) == ("9", r"23 - 20 is 3, and 3 + 6 is \boxed{9}, so nine.")


def answers(folder, *lines):
    folder.mkdir(exist_ok=True)
    (folder / "gold.jsonl").write_text("".join(f"{line}\n" for line in lines))
    return Cot(name="c", answers="gold.jsonl").located(folder)


def test_row_7_the_right_answer_may_come_from_a_file(tmp_path):
    wanted = answers(tmp_path, '{"question": "How many  apples?", "answer": "3 + 6 = 9\\n#### 9"}')
    asked, row = [told("system: s"), told("user: how many apples? ")], {"metadata": None}
    assert wanted.form(asked, [told(f"assistant: {STEPS} #### 9")], row).reasons == ()
    assert wanted.form(asked, [told(f"assistant: {STEPS} #### 8")], row).reasons == ("ANSWER_MISMATCH",)
    assert wanted.form([told("user: pears?")], [told("assistant: 1 #### 8")], row).reasons == ("NO_EXPECTED_ANSWER",)
    moved = answers(tmp_path / "elsewhere", '{"question": "How many  apples?", "answer": "3 + 6 = 9\\n#### 9"}')
    other = answers(tmp_path / "other", '{"question": "How many apples?", "answer": "8"}')
    assert wanted.step() == moved.step() != other.step()


@pytest.mark.parametrize(
    ("lines", "says"), [(['{"question": "q"}'], 'no question with a text or number in "answer"'), (["["], "no JSON")]
)
def test_a_file_of_answers_that_is_no_good_is_refused(tmp_path, lines, says):
    with pytest.raises(RecipeInvalid, match=says):
        answers(tmp_path, *lines)


def test_a_file_of_answers_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(RecipeInvalid, match="cannot be read"):
        Cot(name="c", answers="gold.jsonl").located(tmp_path)
