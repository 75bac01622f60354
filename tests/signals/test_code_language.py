import pytest

from flywheel.signals.code_language import CodeLanguage, main_language
from tests.build import chat


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("```python\nx = 1\n```", "python"),
        ("```py3\nx\n```\n```js\na\nb\n```", "javascript"),
        ("```postgresql\nselect 1\n```", "sql"),
        ("```c++\nint x;\n```", "cpp"),
        ("> ```sh\n> ls\n> ```", "shell"),
        ("~~~ruby\nputs 1\n~~~", "ruby"),
        ("```cobol\nDISPLAY 'x'.\n```", "other"),
        ('```json\n{"a": 1}\n```', "none"),
        ("```\ndef f(x):\n    return x\n```", "python"),
        ("```\nSELECT a\nFROM b\nWHERE c\n```", "sql"),
        ("```\njust a quotation\n```", "none"),
        ("What does SELECT name FROM users do?", "none"),
        ("Why is this slow?\nSELECT name FROM users WHERE id = 1", "sql"),
        ("def f(x):\n    return x\n\nprint(f(1))", "python"),
        ("Let me import a car from Japan.", "none"),
        ("```python\nnever closed", "python"),
        ("", "none"),
    ],
)
def test_row_31_the_language_of_most_lines(text, language):
    assert main_language(text) == language


def test_both_what_is_asked_and_what_is_said_count():
    given = chat("user: fix it\n```sql\nselect 1\n```", "assistant: sure").lazy()
    assert CodeLanguage().measure(given).collect()["code_language"].to_list() == ["sql"]
    assert (
        CodeLanguage().measure(chat("user: hi", "assistant: hello").lazy()).collect()["code_language"].item() == "none"
    )
