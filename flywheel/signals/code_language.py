"""Which programming language a conversation is about."""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any, ClassVar, Final, Literal

import polars as pl
from pydantic import Field

from flywheel.kinds import Signal
from flywheel.records import asked, last_reply
from flywheel.texts.prose import fenced

NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "python": ("python", "py", "python3", "ipython", "pycon", "jupyter"),
    "javascript": ("javascript", "js", "jsx", "node", "nodejs", "mjs", "vue"),
    "typescript": ("typescript", "ts", "tsx"),
    "sql": ("sql", "mysql", "postgresql", "postgres", "psql", "sqlite", "plsql", "tsql", "bigquery"),
    "java": ("java",),
    "kotlin": ("kotlin", "kt"),
    "c": ("c", "h"),
    "cpp": ("cpp", "c++", "cc", "cxx", "hpp"),
    "csharp": ("csharp", "c#", "cs"),
    "go": ("go", "golang"),
    "rust": ("rust", "rs"),
    "ruby": ("ruby", "rb"),
    "php": ("php",),
    "swift": ("swift",),
    "scala": ("scala",),
    "r": ("r", "rlang"),
    "shell": ("bash", "sh", "shell", "zsh", "console", "powershell", "ps1", "bat", "cmd"),
    "html": ("html", "htm", "xhtml"),
    "css": ("css", "scss", "sass", "less"),
    "matlab": ("matlab", "octave"),
}
"""Language -> what it is called after a fence."""
DATA = frozenset(
    (
        "json",
        "yaml",
        "yml",
        "xml",
        "toml",
        "ini",
        "csv",
        "diff",
        "text",
        "txt",
        "plaintext",
        "markdown",
        "md",
        "log",
        "output",
        "http",
        "mermaid",
        "latex",
        "tex",
    )
)
"""What stands in a fence and is no program."""
SIGNS: Final[Mapping[str, str]] = {
    "python": r"^\s*(?:def \w+\(.*\).*:|class \w+.*:\s*$|(?:from [\w.]+ )?import [\w.]+|elif .*:|except.*:|with .+ as \w+:|if __name__)|^\s*print\(|^\s*for \w+ in .+:\s*$|\bself\.\w+|\blambda \w+:",
    "javascript": r"^\s*(?:const|let|var) \w+ ?=|=> ?[{(]|\bconsole\.log\(|\bfunction ?\w*\(.*\) ?\{|\brequire\(['\"]|\bdocument\.\w+|===",
    "typescript": r"^\s*(?:export )?interface \w+ ?\{|: (?:string|number|boolean)(?:\[\])?[ ;,)=]|^\s*type \w+ =",
    "sql": r"(?i)^\s*(?:select\b.+|select\s*$|insert into \w+|update \w+ set|delete from \w+|create (?:or replace )?(?:table|view|index)|alter table|with \w+ as \()|^\s*(?:from|where|group by|order by|(?:left |inner )?join) \w+",
    "java": r"\bpublic (?:static |final |abstract )*(?:class|void|int|String)\b|\bSystem\.out\.|^\s*import java[x]?\.|\bpublic static void main",
    "kotlin": r"^\s*(?:data class|fun \w+\(|val \w+ ?[:=])",
    "cpp": r"^\s*#include <(?:iostream|vector|string|map|algorithm)>|\bstd::|\bcout ?<<|^\s*using namespace|^\s*template ?<",
    "c": r"^\s*#include <\w+\.h>|\bprintf\(|\bmalloc\(|^\s*int main\(",
    "csharp": r"^\s*using System|\bConsole\.Write|\bnamespace \w+|\bpublic (?:async )?Task\b",
    "go": r"^\s*package \w+\s*$|^\s*func (?:\(\w+ \*?\w+\) )?\w+\(|:= |\bfmt\.Print",
    "rust": r"^\s*(?:pub )?fn \w+|\blet mut \w+|\bprintln!\(|^\s*impl\b|\buse std::",
    "ruby": r"^\s*(?:require '|puts |def \w+\s*$|end\s*$)|\.each do \|",
    "php": r"<\?php|\$\w+ ?= ?|\becho ['\"$]|->\w+\(",
    "shell": r"^\s*(?:\$ |#!/bin/|sudo |apt(?:-get)? |pip3? install|npm (?:install|run)|docker |kubectl |git (?:clone|commit|push|pull|add)|cd |ls\b|echo |export \w+=|curl |chmod |grep )",
    "html": r"(?i)<!doctype html|</?(?:html|head|body|div|span|script|table|form|button|h[1-6])\b[^>]*>",
    "css": r"^\s*[.#]?[\w-]+(?:[ ,.:#>][\w. :#>-]*)?\{\s*$|^\s*(?:color|margin|padding|display|font-size|background)(?:-\w+)?: ?[^;]+;",
    "r": r"<- (?:function|c\()|\blibrary\(\w+\)|%>%|\bdata\.frame\(",
}
"""Language -> what its lines look like."""
NAMED = {alias: name for name, aliases in NAMES.items() for alias in aliases}
_SIGNS = {name: re.compile(sign) for name, sign in SIGNS.items()}
_HINT = r"```|~~~|(?m:^)[ \t]*(?:def [A-Za-z_]|class |import |from [a-z.]+ import|[Ss][Ee][Ll][Ee][Cc][Tt] |#include|public |func |fn |const |let |var |<\?php|<!|<html|package )"
LINES, LINE = 200, 300
"""Lines of a block that are looked at, and characters of a line."""


class CodeLanguage(Signal, frozen=True):
    """The programming language that most lines of code are in, of the reply and of what the user says; `none` without code.

    A fenced block is in the language its fence names; one without a name, and text that reads as code though nothing
    fences it, in the one whose statements most of its lines look like. Data (JSON, YAML, logs) is no program. A fence in a
    language that is not known here is `other`.
    """

    use: Literal["code_language"] = "code_language"
    gives: ClassVar[Mapping[str, Any]] = {"code_language": pl.String}
    on_request: ClassVar[bool] = True
    when_read: ClassVar[bool] = True
    values: ClassVar[Mapping[str, tuple[str, ...]]] = {"code_language": (*NAMES, "other", "none")}
    characters: int = Field(default=20_000, ge=100)
    """How much of each text is looked at."""

    def measure(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        heads = [t.str.slice(0, self.characters) for t in (asked(), last_reply())]
        read = rows.select("id", text=pl.concat_str(heads, separator="\n\n")).collect()
        # Few conversations hold code: only texts with a fence or a statement are read line by line.
        texts = read.filter(pl.col("text").str.contains(_HINT))["text"].unique()
        known = pl.DataFrame(
            {"text": texts, "code_language": [main_language(t) for t in texts.to_list()]},
            schema={"text": pl.String, **self.gives},
        )
        told = read.join(known, on="text", how="left", maintain_order="left")
        return told.select("id", pl.col("code_language").fill_null("none")).lazy()


def main_language(text: str) -> str:
    """The language of most lines of code of a text; of two with as many the first by name; "none" without code."""
    lines: Counter[str] = Counter()
    blocks, _ = fenced(text)
    at = 0
    for start, end in blocks:
        _count(lines, "", text[at:start].split("\n"), bare=True)
        first, *body = text[start:end].strip().split("\n")
        _count(lines, first.strip(" \t>`~").split("{")[0].split(" ")[0].strip().lower(), body, bare=False)
        at = end
    _count(lines, "", text[at:].split("\n"), bare=True)
    return min(lines, key=lambda name: (-lines[name], name)) if lines else "none"


def _count(lines: Counter[str], name: str, body: list[str], bare: bool) -> None:
    """Add the lines of a piece to those of its language. Prose that nothing fences must look like code in two lines, or begin so."""
    full = [line[:LINE] for line in body[:LINES] if line.strip()]
    if name in DATA or not full:
        return
    if name:
        lines[NAMED.get(name, "other")] += len(full)
        return
    hits = {language: sum(bool(sign.search(line)) for line in full) for language, sign in _SIGNS.items()}
    best = min(hits, key=lambda language: (-hits[language], language))
    if hits[best] >= (2 if bare else 1) or (bare and best == "sql" and _statement(full)):
        lines[best] += hits[best] if bare else len(full)


def _statement(lines: list[str]) -> bool:
    """Whether a line is a whole SQL query."""
    return any(re.search(r"(?i)^\s*select\b.+\bfrom\b", line) for line in lines)
