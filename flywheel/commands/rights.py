"""`flywheel rights`."""

import click

from flywheel import report
from flywheel.commands.terminal import progress, shared, tell
from flywheel.errors import SnapshotMissing, nearest
from flywheel.home import Home


@click.command(short_help="Under which licences and terms the rows of each set stand.")
@click.argument("sets", nargs=-1, metavar="[SET...]")
@shared
def rights(sets: tuple[str, ...], home_path: str | None, as_json: bool) -> int:
    """The licence of each source and the terms of each model behind a set, held against the purpose the recipe declares.

    The strictest ancestor counts: the path to it is shown. Exit code 1 where a set holds rows whose use is forbidden.

    \b
    Example: flywheel rights support_sft
    """
    from flywheel.rights.clearance import of_set

    home = Home.open(home_path)
    recipe = home.recipe()
    there = [s.name for s in recipe.sets]
    if strange := [name for name in sets if name not in there]:
        raise SnapshotMissing(f'there is no set "{strange[0]}".{nearest(strange[0], there)} Sets: {", ".join(there)}.')
    names = list(sets) or there
    with progress("looking"):
        found = {name: of_set(home.store, home.store.head(name), recipe.rights) for name in names}
    purpose = recipe.purpose.model_dump(mode="json") if recipe.purpose else None
    tables = {name: clearance.table.to_dicts() for name, clearance in found.items()}
    tell({"purpose": purpose, "sets": tables}, as_json, report.rights(purpose, tables))
    return int(any(row["verdict"] == "forbidden" for table in tables.values() for row in table))
