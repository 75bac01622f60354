"""The README tells the truth: every operator and command is in it, and every example in it works."""

import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import click
import pytest

from flywheel.kinds import Operator
from flywheel.quality import targets
from flywheel.recipe import Recipe, parse_recipe

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TABLES = {
    "Sources": "sources",
    "Signals": "signals",
    "Filters": "filters",
    "Edits": "edits",
    "Sets": "sets",
    "Exports": "exports",
}


def section(title: str) -> str:
    """The text under a heading, up to the next of its level or higher."""
    found = re.search(rf"^(#+) {re.escape(title)}$(.*?)(?=^#{{1,3}} |\Z)", README, re.M | re.S)
    assert found, f'README.md has no heading "{title}".'
    return found.group(2)


def first_cells(title: str) -> set[str]:
    """The code words that begin the lines of the table under a heading."""
    return set(re.findall(r"^\| `([^`]+)`", section(title), re.M))


def blocks(language: str) -> list[str]:
    """The code blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.M | re.S)


def operators(package: str) -> dict[str, type[Operator]]:
    """What `discover` finds in a package."""
    module = import_module(f"flywheel.{package}")
    found: dict[str, type[Operator]] = getattr(module, package.upper())
    return found


@pytest.mark.parametrize(("title", "package"), TABLES.items())
def test_every_operator_is_in_its_table(title: str, package: str) -> None:
    there, told = set(operators(package)), first_cells(title)
    assert not there - told, f'README.md, "{title}": add a line for {", ".join(sorted(there - told))}.'
    assert not told - there, f'README.md, "{title}": there is no {", ".join(sorted(told - there))}; remove the line.'


@pytest.mark.parametrize(("title", "package"), TABLES.items())
def test_every_parameter_is_in_its_table(title: str, package: str) -> None:
    shared = {name for cls in operators(package).values() for name in cls.__mro__[1].model_fields} | {"use"}
    for use, cls in operators(package).items():
        line = next(line for line in section(title).splitlines() if line.startswith(f"| `{use}`"))
        lacking = [name for name in cls.model_fields if name not in shared and f"`{name}`" not in line]
        assert not lacking, f'README.md, "{title}": the line of {use} does not name its parameter {", ".join(lacking)}.'


def test_every_recipe_key_is_explained() -> None:
    told = section("Recipe")
    keys = [*Recipe.model_fields]
    keys += [
        name
        for field in ("feedback", "curate", "policy")
        for name in Recipe.model_fields[field].annotation.model_fields
    ]  # type: ignore[union-attr]
    keys += [name for cls in operators("sets").values() for name in cls.__mro__[1].model_fields if name != "use"]
    lacking = sorted({key for key in keys if not re.search(rf"`[^`]*\b{key}\b[^`]*`", told)})
    assert not lacking, f'README.md, "Recipe": explain {", ".join(lacking)}.'


def test_every_check_is_listed() -> None:
    there, told = {t.name for asset in targets.ASSETS for t in targets.TARGETS[asset]}, first_cells("Checks")
    assert there == told, f'README.md, "Checks": add {sorted(there - told)}, remove {sorted(told - there)}.'


def test_every_command_is_documented() -> None:
    group = next(v for v in vars(import_module("flywheel.__main__")).values() if isinstance(v, click.Group))
    there = {name for name, command in group.commands.items() if not command.hidden}
    told = {word.split()[1] for word in first_cells("Commands") if word.startswith("flywheel ")}
    assert there == told, f'README.md, "Commands": add {sorted(there - told)}, remove {sorted(told - there)}.'


@pytest.mark.parametrize("text", blocks("toml"))
def test_recipes_in_the_readme_are_valid(text: str) -> None:
    named = text if re.search(r"^name = ", text.split("\n[")[0], re.M) else f'name = "example"\n{text}'
    assert parse_recipe(named, "README.md").name


def test_the_filter_example_works(tmp_path: Path) -> None:
    """The two blocks are put where the README says, in a copy of the packages, and its own test is run there."""
    source, test = blocks("python")[:2]
    (tmp_path / "flywheel").symlink_to(ROOT / "flywheel")
    folder = tmp_path / "shadow"
    folder.mkdir()
    name = re.search(r'use: Literal\["(\w+)"\]', source)
    assert name
    (folder / f"{name.group(1)}.py").write_text(source)
    (folder / f"test_{name.group(1)}.py").write_text(
        "import flywheel.filters\n" + f"flywheel.filters.__path__.append({str(folder)!r})\n" + test
    )
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "--rootdir",
            str(ROOT),
            "-c",
            str(ROOT / "pyproject.toml"),
            str(folder),
        ],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("text", blocks("python"))
def test_python_in_the_readme_compiles(text: str) -> None:
    compile(text, "README.md", "exec")


def test_pictures_and_files_the_readme_links_are_there() -> None:
    linked = re.findall(r"\]\((?!https?:|#)([^)]+)\)", README)
    missing = [path for path in linked if not (ROOT / path).exists()]
    assert not missing, f"README.md links {', '.join(missing)}, which is not there."


def test_every_selection_and_parameter_is_in_its_table() -> None:
    from flywheel.choices.selection import SELECTIONS

    assert first_cells("Selections") == set(SELECTIONS)
    for use, cls in SELECTIONS.items():
        line = next(line for line in section("Selections").splitlines() if line.startswith(f"| `{use}`"))
        lacking = [name for name in cls.model_fields if name != "use" and f"`{name}`" not in line]
        assert not lacking, (
            f'README.md, "Selections": the line of {use} does not name its parameter {", ".join(lacking)}.'
        )


def test_every_batch_and_parameter_is_in_its_table() -> None:
    from flywheel.choices.active import BATCHES, Batch

    assert first_cells("Review") == set(BATCHES)
    for use, cls in BATCHES.items():
        line = next(line for line in section("Review").splitlines() if line.startswith(f"| `{use}`"))
        lacking = [name for name in cls.model_fields if name not in Batch.model_fields and f"`{name}`" not in line]
        assert not lacking, f'README.md, "Review": the line of {use} does not name its parameter {", ".join(lacking)}.'
