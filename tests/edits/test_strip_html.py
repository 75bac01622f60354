import time

import polars as pl
import pytest

from flywheel.edits.strip_html import StripHtml
from flywheel.rewriting import rewrite
from flywheel.texts import prose
from tests.build import chat


def stripped(text: str | None) -> str | None:
    frame = pl.DataFrame({"text": [text]}, schema={"text": pl.String})
    return frame.select(StripHtml().rewrite(pl.col("text"), b"")).item()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<p>Great  <b>phone</b></p>\n\n\n", "Great phone"),  # row 20
        ("<p>아주  <b>좋은</b> 전화기</p>", "아주 좋은 전화기"),
        (
            "<div>out</div>\n```html\n<div>in</div>\n```\nafter <b>x</b>",
            "out\n\n```html\n<div>in</div>\n```\nafter x",
        ),  # row 149
        ("`<b>x</b>` and <i>y</i>", "`<b>x</b>` and y"),
        ("first<br>second<br/>third", "first\nsecond\nthird"),
        ("<ul><li>one<li>two</ul>", "one\ntwo"),
        ("<table><tr><td>a</td><td>b</td></tr></table>", "a b"),
        ("<a href='http://x.y/?a=1&amp;b=2' class=\"k\">link</a>", "link"),
        ("<script>alert('a<b')</script><p>안녕&nbsp;하세요</p>", "안녕 하세요"),
        ("<style>p { color: red }</style><!-- <b>hidden</b> --><p>10&euro;</p>", "10€"),
        ("<!DOCTYPE html><html><body><h1>T</h1>x</body></html>", "T\nx"),
        ("AT&amp;T says &quot;hi&quot; to 5 &lt; 6", 'AT&T says "hi" to 5 < 6'),
        ("Write &lt;b&gt; for bold.", "Write `<b>` for bold."),
        ("<p>Écoute &eacute;</p><p>Ünïcode</p>", "Écoute é\n\nÜnïcode"),
        (None, None),
    ],
)
def test_html_that_is_noise_goes(text, expected):
    assert stripped(text) == expected
    assert stripped(expected) == expected


@pytest.mark.parametrize(
    "text",
    [
        "a < b and c > d",
        "x <b y",
        "I <3 you",
        "List<String> names = new ArrayList<>(); Map<K, V>",
        "The <b> tag makes text bold.",
        'What does "<div>" mean?',
        "<b> 태그는 굵게 표시합니다.",
        "Fix my HTML: <div><p>x</p></div>",
        "Fix my JavaScr\u0131pt: <div><p>x</p></div>",
        "Fix my c\u017fs, my mar\u212aup: <div><p>x</p></div>",
        "이 HTML 고쳐 줘: <div><p>x</p></div>",
        "see <https://example.org> and <think>hm</think>",
        "&nosuch; &x; ?a=1&copy=2",
        "&amp;lt;",
        "a <!-- never closed",
        "```\n<p>x</p>\n",
        "two  spaces   stay\n\n\n\nwhere there is no markup",
        "",
    ],
)
def test_what_is_no_noise_stays(text):
    assert stripped(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "<p>" * 100_000,
        "<b " * 100_000,
        "<!--" * 100_000,
        "``` `" * 60_000 + "<p>a</p>",
        "&lt;a " * 80_000,
        "<script>" * 60_000,
    ],
    ids=lambda t: t[:5],
)
def test_made_to_hurt(text):
    began = time.perf_counter()
    stripped(text)
    assert time.perf_counter() - began < 3


def test_edits_count_characters_and_leave_tool_calls_alone():
    row = chat(
        "user: <p>Great  <b>phone</b></p>", {"role": "assistant", "content": "ok", "tool_calls": '[{"x":"<p>a</p>"}]'}
    )
    new, made = rewrite(row, (StripHtml(),), b"")
    assert new["messages"][0][0]["content"] == "Great phone"
    assert new["messages"][0][1]["tool_calls"] == '[{"x":"<p>a</p>"}]'
    assert made.select("field", "edit", "count", "chars_before", "chars_after").rows() == [
        ("content", "strip_html", 1, 26, 11)
    ]


def test_code_is_where_markdown_says():
    assert prose.code("a `b` c") == [(2, 5)]
