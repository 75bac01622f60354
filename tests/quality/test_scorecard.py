from flywheel.quality import targets
from flywheel.quality.scorecard import TRAITS, scorecard


def check(name, passed=True, severity="error"):
    return {"name": name, "passed": passed, "severity": severity, "summary": f"{name} was asked."}


def test_every_check_of_a_trait_is_there():
    there = {t.name for group in targets.TARGETS.values() for t in group}
    assert {name for names in TRAITS.values() for name in names} <= there
    assert len(TRAITS) == 6


def test_a_trait_holds_where_every_check_passed():
    told = {t["trait"]: t for t in scorecard([check("duplicates_are_few"), check("logs_repeat_little", passed=False)])}
    assert told["unique"] == {
        "trait": "unique",
        "holds": False,
        "passed": 1,
        "judged": 2,
        "found": "logs_repeat_little was asked.",
    }
    assert (told["compliant"]["holds"], told["compliant"]["found"]) == (None, "no check judged it")


def test_what_is_declared_off_is_not_judged():
    [unique] = [t for t in scorecard([check("duplicates_are_few", severity="off")]) if t["trait"] == "unique"]
    assert unique["holds"] is None


def test_traits_of_ones_own_stand_in_the_scorecard():
    told = scorecard([check("timely", passed=False, severity="warn")], own=["timely"])
    assert [t["trait"] for t in told] == [*TRAITS, "timely"]
    assert told[-1]["holds"] is False
