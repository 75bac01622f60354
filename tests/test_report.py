"""What is printed: numbers in place, nothing of a log obeyed, plain text when piped."""

import io

import pytest

from flywheel import report

RESULT = {
    "success": False,
    "run_id": "r",
    "stages": [
        {"name": "raw_files", "rows_in": 1200, "rows_out": 1199, "rejected": {}, "quarantined": 1},
        {
            "name": "screened",
            "rows_in": 1199,
            "rows_out": 1000,
            "rejected": {"refusal": 150, "[bold]\x1b[31m": 49},
            "quarantined": 0,
        },
    ],
    "sets": [
        {
            "name": "good",
            "kind": "sft",
            "version": "a" * 12,
            "rows": 900,
            "train": 810,
            "validation": 90,
            "released": True,
            "path": "/h/exports/good/" + "x" * 90,
        },
        {
            "name": "bad",
            "kind": "kto",
            "version": "b" * 12,
            "rows": 100,
            "train": 90,
            "validation": 10,
            "released": False,
            "path": None,
        },
        {
            "name": "none",
            "kind": "kto",
            "version": None,
            "rows": 0,
            "train": 0,
            "validation": 0,
            "released": False,
            "path": None,
        },
    ],
    "checks": [
        {"asset": "good", "name": "fine", "passed": True, "severity": "error", "blocking": True, "summary": "well"},
        {
            "asset": "good",
            "name": "odd",
            "passed": False,
            "severity": "warn",
            "blocking": False,
            "summary": "3% found; at most 2% wanted. Do this.",
        },
        {
            "asset": "bad",
            "name": "mix_meets_target",
            "passed": False,
            "severity": "error",
            "blocking": True,
            "summary": "0.2 found; at most 0.05 wanted.",
        },
    ],
}


def printed(thing):
    out = io.StringIO()
    report.console(out).print(thing, crop=False)
    return out.getvalue()


@pytest.mark.parametrize(
    "part",
    [
        "1,200",
        "1,199",
        "quarantined 1",
        "refusal 150",
        "✓ released",
        "✗ no: mix_meets_target",
        "✗ not made",
        "Checks  1 passed, 1 warned, 1 failed",
        "good · odd",
        "3% found; at most 2% wanted. Do this.",
        "bad · mix_meets_target",
        "flywheel up --home /h",
        "/h/exports/good/" + "x" * 90 + "/train.jsonl",
    ],
)
def test_the_summary_says_it(part):
    assert part in printed(report.build_summary("/h", RESULT))


def test_failures_come_before_warnings():
    text = printed(report.check_summary(RESULT))
    assert text.index("mix_meets_target") < text.index("good · odd")


def test_text_of_logs_is_shown_not_obeyed():
    text = printed(report.build_summary("/h", RESULT))
    assert "[bold]\\x1b[31m 49" in text
    assert "\x1b" not in text


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a\nb", "a\\nb"), ("\x1b]0;x\x07", "\\x1b]0;x\\x07"), ("\u202e", "\\u202e"), ("네 [b]", "네 [b]")],
)
def test_plain(text, shown):
    assert report.plain(text) == shown


def test_lines_fit_100_columns_but_for_paths():
    long = [line for line in printed(report.build_summary("/h", RESULT)).splitlines() if len(line.rstrip()) > 100]
    assert [line.strip()[:16] for line in long] == ["/h/exports/good/"]
