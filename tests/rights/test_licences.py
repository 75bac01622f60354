"""What licence expressions restrict."""

import pytest

from flywheel.rights.licences import fault, restrictions


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("MIT", ()),
        ("apache-2.0", ()),
        ("CC-BY-4.0", ()),
        ("CC-BY-SA-4.0", ("share_alike",)),
        ("CC-BY-NC-4.0", ("non_commercial",)),
        ("CC-BY-NC-SA-3.0", ("non_commercial", "share_alike")),
        ("CC-BY-NC-ND-4.0", ("no_derivatives", "non_commercial")),
        ("MIT AND CC-BY-NC-4.0", ("non_commercial",)),
        ("MIT OR CC-BY-NC-4.0", ()),
        ("(MIT OR CC-BY-NC-4.0) AND CC-BY-SA-4.0", ("share_alike",)),
        ("GPL-2.0-only WITH Classpath-exception-2.0", ("share_alike",)),
        ("LicenseRef-acme", ("unknown",)),
        ("MIT AND LicenseRef-acme", ("unknown",)),
        ("LicenseRef-acme OR MIT", ()),
        ("Aladdin", ("unknown",)),  # of the SPDX list, and not of ours
        ("unknown", ("unknown",)),
    ],
)
def test_a_licence_restricts(expression: str, expected: tuple[str, ...]) -> None:
    assert fault(expression) is None
    assert restrictions(expression) == expected


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("", "is empty"),
        ("(MIT", "is no SPDX expression"),
        ("MIT AND", "is no SPDX expression"),
        ("cc-by-nc", "names cc-by-nc, which is not in the SPDX list; write LicenseRef-cc-by-nc"),
    ],
)
def test_what_is_no_licence_is_said(expression: str, said: str) -> None:
    assert said in (fault(expression) or "")
