import pytest

from flywheel.filters.symbol_heavy import SymbolHeavy
from tests.measured import HARMLESS, verdict


@pytest.mark.parametrize(
    ("reply", "rejected"),
    [
        (
            "#@$%^&*~<>{}[]=+\\/ #@$%^&*~<>{}[]=+\\/ #@$%^&*~<>{}[]=+\\/ #@$%^&*~<>{}[]=+\\/ #@$%^&*~<>{}[]=+\\/ #@$%^&*~<>{}[]=+\\/ #@$%^&*~<>{}[]=+\\/ #@$%^&*~<>{}[]=+\\/ ",
            True,
        ),
        (
            "12 34 56 78 90 12 34 56 78 90 12 34 56 78 90 12 34 56 78 90 12 34 56 78 90 12 34 56 78 90 12 34 56 78 90 12 34 56 78 90 12 34 56 78 90 12 34 56 78 90 12 34 56 78 90 12 34 56 78 90 ",
            True,
        ),
        (
            "=> <= ~~ ** ## => <= ~~ ** ## => <= ~~ ** ## => <= ~~ ** ## => <= ~~ ** ## => <= ~~ ** ## => <= ~~ ** ## => <= ~~ ** ## => <= ~~ ** ## => <= ~~ ** ## ",
            True,
        ),
        ("The sum is $$\\sum_{i=1}^{n} i = \\frac{n(n+1)}{2}$$, which you can prove by induction on n.", False),
        ("\n".join(f"{n} x 7 = {n * 7}" for n in range(1, 13)), False),
        ("2 + 2 = 4, and 4 * 4 = 16", False),
        ("`^[\\w.+-]+@[\\w-]+\\.[\\w.-]+$` `^#[0-9a-f]{6}$` `^\\+?[0-9]{7,15}$`", False),
        (
            "😀🎉👍😀🎉👍😀🎉👍😀🎉👍😀🎉👍😀🎉👍😀🎉👍😀🎉👍😀🎉👍😀🎉👍😀🎉👍😀🎉👍😀🎉👍😀🎉👍😀🎉👍😀🎉👍😀🎉👍😀🎉👍😀🎉👍😀🎉👍😀🎉👍😀🎉👍😀🎉👍😀🎉👍😀🎉👍😀🎉👍😀🎉👍😀🎉👍😀🎉👍😀🎉👍",
            False,
        ),
        *[(reply, False) for reply in HARMLESS],
    ],
)
def test_symbol_heavy(reply, rejected):
    assert verdict(SymbolHeavy(), reply) is rejected
