"""`flywheel quarantine`."""

from typing import Any

import click

from flywheel import report
from flywheel.commands.terminal import shared, tell
from flywheel.home import Home


@click.command(short_help="Show the lines that could not be read.")
@click.option("--limit", default=20, show_default=True, help="Lines to print.")
@click.option("--reason", help="Only lines quarantined for this reason.")
@shared
def quarantine(limit: int, reason: str | None, home_path: str | None, as_json: bool) -> None:
    """The lines that could not be read: where, why, and their bytes (control characters escaped).

    \b
    Example: flywheel quarantine --reason not_json
    """
    home = Home.open(home_path)
    found = quarantined(home, reason)
    shown = found if as_json else found[:limit]
    reasons = sorted({q["reason"] for q in found})
    tell(
        {"total": len(found), "by_reason": {r: sum(q["reason"] == r for q in found) for r in reasons}, "lines": shown},
        as_json,
        report.quarantined(shown, len(found)),
    )


def quarantined(home: Home, reason: str | None) -> list[dict[str, Any]]:
    """Quarantined lines in the order of arrival, their bytes as text with what is not UTF-8 escaped."""
    import polars as pl

    head = home.store.head("raw_files")
    arrival = {f.digest: f for f in home.raw.files()}
    lines = head.scan("quarantine").filter(pl.lit(True) if reason is None else pl.col("reason") == reason).collect()
    found = [
        {
            "file": str(f.path) if (f := arrival.get(q["file"])) else None,
            "name": f.name if f else q["file"],
            "file_digest": q["file"],
        }
        | {"line": q["line"], "byte_offset": q["offset"], "reason": q["reason"], "detail": q["detail"]}
        | {"raw": (q["raw"] or b"").decode("utf-8", "backslashreplace")}
        for q in lines.iter_rows(named=True)
    ]
    order = {digest: n for n, digest in enumerate(arrival)}
    return sorted(found, key=lambda q: (order.get(q["file_digest"], len(order)), q["file_digest"], q["line"]))
