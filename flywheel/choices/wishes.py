"""Wishes for choices that cannot be: axes and columns there are not, shares that do not add up, two mixes of one axis.

Each function yields sentences; the recipe puts the place in front of them.
"""

import math
from collections.abc import Iterator, Sequence

from flywheel.choices.active import Batch
from flywheel.choices.curriculum import Curriculum
from flywheel.choices.mix import Mix
from flywheel.choices.selection import EXAMPLE_NUMBERS, Importance
from flywheel.errors import nearest
from flywheel.kinds import SetKind
from flywheel.labels import LABEL_COLUMNS


def share_faults(where: str, mix: Mix, axes: Sequence[str]) -> Iterator[str]:
    """Axes there are not, and shares that do not add up."""
    for axis, shares in mix.items():
        if axis not in axes:
            yield f'{where}: there is no axis "{axis}".{nearest(axis, axes)} Axes: {", ".join(axes)}.'
        if not math.isclose(total := sum(shares.values()), 1.0, abs_tol=1e-6):
            yield f"{where}.{axis}: the shares add up to {total:g}; expected 1."


def follow_faults(wanted: SetKind, axes: Sequence[str]) -> Iterator[str]:
    """Axes there are not, axes that have two mixes, and usage that no log line tells."""
    for axis, follow in wanted.follow.items():
        if axis not in axes:
            yield f'follow: there is no axis "{axis}".{nearest(axis, axes)} Axes: {", ".join(axes)}.'
        if axis in wanted.mix:
            yield f"follow.{axis}: the mix has that axis, too; put its shares under [set.follow.{axis}.declared]."
        if follow.usage is not None and axis in LABEL_COLUMNS:
            yield f"follow.{axis}.usage: a label is known of few calls, so it tells no usage; follow declared shares."
    if wanted.pilot is not None:
        for axis in wanted.pilot.by:
            if axis not in axes:
                yield f'pilot.by: there is no axis "{axis}".{nearest(axis, axes)} Axes: {", ".join(axes)}.'
        if wanted.mix or wanted.follow or wanted.select is not None or wanted.max_copies > 1:
            yield "pilot: a pilot is drawn by its strata; leave out mix, follow, select and max_copies."
    if wanted.max_copies > 1 and wanted.examples is None:
        yield "max_copies: without `examples` no cell is short, and nothing is repeated. Say how many examples are wanted."


def select_faults(wanted: SetKind, axes: Sequence[str], numbers: Sequence[str]) -> Iterator[str]:
    """The faults of a set's selection."""
    select = wanted.select
    if isinstance(select, Importance):
        yield from share_faults("select.target", select.target, axes)
        for axis in sorted(select.target.keys() & wanted.mix.keys()):
            yield f"select.target.{axis}: the mix has that axis, too, and would undo the weights; keep one of them."
    elif select is not None:
        known = [*numbers, *EXAMPLE_NUMBERS] if select.numbers else sorted({*axes, *numbers})
        what = "column of numbers" if select.numbers else "column"
        for column in select.columns():
            if column not in known:
                yield f'select: there is no {what} "{column}".{nearest(column, known)} Columns: {", ".join(sorted(set(known)))}.'


def review_faults(batches: Sequence[Batch], axes: Sequence[str], numbers: Sequence[str]) -> Iterator[str]:
    """Names used twice, and columns there are not."""
    names = [b.name for b in batches]
    for name in sorted({n for n in names if names.count(n) > 1}):
        yield f'review: the name "{name}" is used {names.count(name)} times; give each batch its own.'
    for i, batch in enumerate(batches):
        for known, what, columns in (
            (numbers, "column of numbers", batch.columns()),
            (sorted({*axes, *numbers}), "column", batch.by),
        ):
            for column in columns:
                if column not in known:
                    yield f'review.{i}.{batch.name}: there is no {what} "{column}".{nearest(column, known)} Columns: {", ".join(known)}.'


def curriculum_faults(
    curricula: Sequence[Curriculum], sets: Sequence[str], axes: Sequence[str], numbers: Sequence[str]
) -> Iterator[str]:
    """Sets, axes and columns there are not; names used twice; stages whose mix cannot hold what they must hold."""
    names = [c.name for c in curricula]
    for i, wanted in enumerate(curricula):
        at = f"curriculum.{i}.{wanted.name}"
        if names.count(wanted.name) > 1:
            yield f'{at}: the name "{wanted.name}" is used {names.count(wanted.name)} times; give each curriculum its own.'
        yield from (f"{at}.{fault}" for fault in share_faults("target", wanted.target, axes))
        if wanted.score is not None and wanted.score not in numbers:
            yield f'{at}.score: there is no column of numbers "{wanted.score}".{nearest(wanted.score, numbers)} Columns: {", ".join(numbers)}.'
        for n, stage in enumerate(wanted.stage):
            if stage.set not in sets:
                yield f'{at}.stage.{n}: there is no set "{stage.set}".{nearest(stage.set, sets)} Sets: {", ".join(sets)}.'
            yield from (f"{at}.stage.{n}.{fault}" for fault in share_faults("mix", stage.mix, axes))
            for least in stage.least:
                if least.axis not in axes:
                    yield f'{at}.stage.{n}.least: there is no axis "{least.axis}".{nearest(least.axis, axes)} Axes: {", ".join(axes)}.'
                most = sum(stage.mix.get(least.axis, {}).get(v, 0.0) for v in least.values)
                if least.axis in stage.mix and most < least.share - 1e-9:
                    yield (
                        f"{at}.stage.{n}.least: the mix gives {', '.join(least.values)} of {least.axis} {most:g} together, and {least.share:g} is "
                        "the least wanted; raise their shares, or lower the least."
                    )
