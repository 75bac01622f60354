"""`flywheel forget`."""

from collections.abc import Mapping
from typing import Any

import click

from flywheel.commands.terminal import progress, shared, silence, tell
from flywheel.errors import FlywheelError, HomeBusy
from flywheel.home import Home


@click.command(short_help="Erase a user, a conversation or a source; list or lift what is suppressed.")
@click.option("--user", metavar="U", help="Everything of this user, under every id known to be theirs.")
@click.option("--conversation", metavar="C", help="One conversation, or one call, by its id.")
@click.option("--source", metavar="S", help="A raw file by its name or digest, or everything of one log format.")
@click.option("--suppressed", is_flag=True, help="List what is kept from coming back: an entry for each erasure.")
@click.option("--lift", metavar="ENTRY", help="Take an entry of that list back: files given again bring its lines.")
@click.option("--yes", is_flag=True, help="Do it. Without it, only what would go, or be lifted, is told.")
@shared
def forget(
    user: str | None,
    conversation: str | None,
    source: str | None,
    suppressed: bool,
    lift: str | None,
    yes: bool,
    home_path: str | None,
    as_json: bool,
) -> int:
    """Erase every copy of a user, a conversation or a source: raw lines, rows of every dataset, exports of all versions, caches,
    Dagster's records. The sets are built anew, every byte of the home is searched, and a receipt is written.

    Without --yes nothing is erased: what would go is told.

    Who is forgotten is kept from coming back: --suppressed lists the entries, --lift takes one back. A user of whom nothing is
    here is kept from coming in, and nothing is built.

    \b
    Example: flywheel forget --user u_1 && flywheel forget --user u_1 --yes
    """
    asked = [(k, v) for k, v in (("user", user), ("conversation", conversation), ("source", source)) if v]
    if len(asked) + suppressed + bool(lift) != 1:
        raise click.UsageError("name one of --user, --conversation, --source, --suppressed and --lift.")
    home = Home.open(home_path)
    if suppressed or lift:
        return _lifted(home, lift, yes, as_json) if lift else _listed(home, as_json)
    return _erased(home, asked[0], yes, as_json)


def _listed(home: Home, as_json: bool) -> int:
    from flywheel.erasure import lifting, summary

    told = lifting.entries(home)
    tell(told, as_json, summary.entries(told))
    return 0


def _lifted(home: Home, entry: str, yes: bool, as_json: bool) -> int:
    from flywheel.erasure import lifting, summary

    with home.lock(who="flywheel forget"):
        told = lifting.lift(home, entry) if yes else lifting.would_lift(home, entry)
    tell({"would_lift": not yes, **told}, as_json, summary.lifted(home.path, told))
    return 0


def _erased(home: Home, asked: tuple[str, str], yes: bool, as_json: bool) -> int:
    from flywheel.erasure import forget as erasure
    from flywheel.erasure import summary

    finished = resumed(home)
    with progress("looking for every copy"), home.lock(who="flywheel forget"):
        planned = erasure.plan(home, *asked)
        if yes:
            erasure.begin(home, planned)
    if not yes:
        nothing = planned.subject.nothing
        answer = {"would_erase": not nothing, "would_suppress": True, "erased": False, **planned.stock}
        tell(answer, as_json, summary.would_suppress() if nothing else summary.would_go(asked[0], planned.stock))
        return 0
    made = carried_out(home)
    tell(
        {"erased": not planned.subject.nothing, **made, "finished_before": finished},
        as_json,
        summary.gone(home.path, made),
    )
    return 0 if made["proof"]["clean"] else 1


def resumed(home: Home) -> str | None:
    """End a lifting and an erasure that a killed run began; the id of the receipt of the latter."""
    from flywheel.erasure import forget as erasure
    from flywheel.erasure import lifting

    lifting.end(home)
    return str(carried_out(home)["id"]) if erasure.unfinished(home) is not None else None


def carried_out(home: Home) -> dict[str, Any]:
    """All steps of the erasure that was begun, the build among them."""
    from flywheel.erasure import forget as erasure

    with progress("erasing") as say, silence():

        def rebuild() -> Mapping[str, Any]:
            from assets import launch  # not where there is nothing to build anew

            try:
                result = launch.build(home, progress=say)
            except HomeBusy:
                raise
            except FlywheelError as e:  # a recipe that cannot be built is no reason to keep them
                return {"success": False, "sets": [], "errors": [{"step": "", "error": str(e)}]}
            return {
                "success": result["success"],
                "sets": [{k: s[k] for k in ("name", "version", "rows", "released")} for s in result["sets"]],
                "errors": result["errors"],
            }

        return erasure.carry_out(home, rebuild)
