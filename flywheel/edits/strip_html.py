"""HTML that came along with the text goes; what it says stays."""

import re
from bisect import bisect_right
from collections.abc import Iterator
from html import unescape
from typing import ClassVar, Literal

import polars as pl

from flywheel.kinds import Edit
from flywheel.texts import prose

_BLOCK = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "body",
        "br",
        "caption",
        "center",
        "dd",
        "details",
        "div",
        "dl",
        "dt",
        "figcaption",
        "figure",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "head",
        "header",
        "hr",
        "html",
        "li",
        "main",
        "nav",
        "ol",
        "p",
        "pre",
        "section",
        "summary",
        "table",
        "tbody",
        "tfoot",
        "thead",
        "tr",
        "ul",
    ]
)
_INLINE = frozenset(
    [
        "a",
        "abbr",
        "acronym",
        "area",
        "b",
        "big",
        "button",
        "cite",
        "code",
        "col",
        "colgroup",
        "del",
        "dfn",
        "em",
        "font",
        "i",
        "iframe",
        "img",
        "input",
        "ins",
        "kbd",
        "label",
        "link",
        "mark",
        "meta",
        "noscript",
        "option",
        "picture",
        "q",
        "s",
        "samp",
        "select",
        "small",
        "source",
        "span",
        "strike",
        "strong",
        "sub",
        "sup",
        "svg",
        "td",
        "textarea",
        "th",
        "time",
        "title",
        "tt",
        "u",
        "var",
        "wbr",
    ]
)
_ALONE = frozenset(["area", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"])
"""Elements without an end tag."""
_OPEN = frozenset(["dd", "dt", "li", "option", "p", "td", "th", "tr", "thead", "tbody", "tfoot", "colgroup"])
"""Elements whose end tag may be left out."""
_SILENT = frozenset(("script", "style"))
"""Elements whose content is no text."""

_TAG = re.compile(
    r"<(?P<end>/)?(?P<name>[A-Za-z][A-Za-z0-9]*)(?P<attributes>(?:\s[^<>]{0,4000})?)/?>|<![Dd][Oo][Cc][Tt][^<>]{0,400}>"
)
_ENTITY = r"&(?:[A-Za-z]{2,24}[0-9]{0,2}|#[0-9]{2,7}|#[xX][0-9a-fA-F]{2,6});"
_SUBJECT = re.compile(
    r"(?<![a-z])(?:x?html5?|css|xml|svg|jsx|php|markup|javascript)(?![a-z])|마크업|マークアップ", re.IGNORECASE
)
_SUBJECTS = ("html", "css", "xml", "svg", "jsx", "php", "markup", "javascr", "마크업", "マークアップ")
"""One of these is in the small letters of every text in which the expression finds anything: to look for them costs little."""
_MENTION = re.compile(r"\s?(?:tags?|elements?|attributes?)\b|\s?(?:태그|요소|タグ|要素|标签|標籤|元素)", re.IGNORECASE)
_ESCAPED = re.compile(r"&lt;(?P<tag>/?(?P<name>[A-Za-z][A-Za-z0-9]*)(?:\s[^<>&\n`]{0,200})?/?)&gt;")
_BOTH = re.compile(r"[^\S\n]*\n\s*|[^\S\n]{2,}")


class StripHtml(Edit, frozen=True):
    """Remove tags, comments, scripts and styles, put characters in the place of entities, and close up white space.

    Only well-formed known elements count: paired tags, or such as need no end tag. Code, fenced or inline, keeps every byte,
    and so does a text whose subject is HTML ("fix my HTML", "the <b> tag"), a comparison (`a < b`) and a generic type
    (`List<String>`). Block elements end a line. Tool calls and tool results are left alone.
    """

    use: Literal["strip_html"] = "strip_html"
    prose_only: ClassVar[bool] = True

    def rewrite(self, text: pl.Expr, secret: bytes) -> pl.Expr:
        return prose.changed_where(text, rf"<[A-Za-z!][^<>]*>|{_ENTITY}", _stripped)


def _stripped(text: str) -> str:
    code = prose.code(text)
    comments = [span for span in _comments(text) if not _inside(code, span[0])]
    tags = [m for m in _TAG.finditer(text) if not _inside(code, m.start()) and not _inside(comments, m.start())]
    if _about_markup(_TAG.sub(" ", prose.without_code(text))):
        return text
    noise = sorted([*_noise(text, tags), *((a, b, "") for a, b in comments)])
    if not noise:
        return prose.outside_code(text, _decoded)
    return _joined(text, code, noise)


def _about_markup(said: str) -> bool:
    small = said.casefold()
    return any(subject in small for subject in _SUBJECTS) and _SUBJECT.search(said) is not None


def _joined(text: str, code: list[tuple[int, int]], noise: list[tuple[int, int, str]]) -> str:
    """The text without the noise, white space of its prose closed up, code untouched."""
    cuts = sorted([*((a, b, None) for a, b in code if not _covered(noise, a)), *noise], key=lambda c: c[:2])
    pieces: list[str] = []
    prosaic, at = [], 0
    for start, end, instead in cuts:
        prosaic.append(text[at:start])
        if instead is None:
            pieces += [_closed_up("".join(prosaic)), text[start:end]]
            prosaic = []
        else:
            prosaic.append(instead)
        at = end
    return "".join([*pieces, _closed_up("".join([*prosaic, text[at:]]))]).strip(" \t\r\n")


def _noise(text: str, tags: list[re.Match[str]]) -> Iterator[tuple[int, int, str]]:
    """What is to go, as (start, end, what stands instead), in order. Empty where no element is whole."""
    real = [m for m in tags if not m["name"] or not _mention(text, m)]
    paired = _paired([m for m in real if m["name"]])
    names = {m.start(): m["name"].lower() for m in real if m["name"]}
    if not any(at in paired or names[at] in _ALONE for at in names):
        return
    skip = -1
    for m in real:
        name = names.get(m.start(), "")
        if m.start() < skip:
            continue
        if not name:  # the document's type
            yield m.start(), m.end(), ""
        elif name in _SILENT and m.start() in paired:
            skip = paired[m.start()]
            yield m.start(), skip, ""
        elif m.start() in paired or name in _ALONE or name in _OPEN:
            yield m.start(), m.end(), "\n" if name in _BLOCK else " " if name in ("td", "th") else ""


def _comments(text: str) -> Iterator[tuple[int, int]]:
    """Comments, as (start, end)."""
    start = text.find("<!--")
    while start >= 0 and (end := text.find("-->", start + 4)) >= 0:
        yield start, end + 3
        start = text.find("<!--", end + 3)


def _paired(tags: list[re.Match[str]]) -> dict[int, int]:
    """Start of each tag that has its partner -> end of the pair."""
    open_: dict[str, list[int]] = {}
    found: dict[int, int] = {}
    for m in tags:
        name = m["name"].lower()
        if name not in _BLOCK and name not in _INLINE and name not in _SILENT:
            continue
        if not m["end"]:
            open_.setdefault(name, []).append(m.start())
        elif open_.get(name):
            found[open_[name].pop()] = found[m.start()] = m.end()
    return found


def _mention(text: str, tag: re.Match[str]) -> bool:
    """Whether the text speaks of the tag: it stands in quotation marks, or the word "element" follows."""
    around = text[max(0, tag.start() - 1) : tag.start()] + text[tag.end() : tag.end() + 1]
    return around in ('""', "''", "“”", "‘’", "「」") or bool(_MENTION.match(text, tag.end()))


def _inside(spans: list[tuple[int, int]], at: int) -> bool:
    place = bisect_right(spans, (at, len(spans) and spans[-1][1] + 1)) - 1
    return place >= 0 and spans[place][0] <= at < spans[place][1]


def _covered(noise: list[tuple[int, int, str]], at: int) -> bool:
    place = bisect_right(noise, at, key=lambda n: n[0]) - 1
    return place >= 0 and noise[place][0] <= at < noise[place][1]


def _closed_up(text: str) -> str:
    """Decoded, single spaces, at most one empty line in a row."""
    return _BOTH.sub(lambda m: "\n\n" if m[0].count("\n") > 1 else "\n" if "\n" in m[0] else " ", _decoded(text))


def _decoded(text: str) -> str:
    """Characters in the place of entities. A tag that was escaped is spoken of: it becomes inline code, and stays."""
    return re.sub(_ENTITY, _character, _ESCAPED.sub(_spoken_of, text)) if "&" in text else text


def _spoken_of(tag: re.Match[str]) -> str:
    return f"`<{tag['tag']}>`" if tag["name"].lower() in _BLOCK | _INLINE | _SILENT else tag[0]


def _character(entity: re.Match[str]) -> str:
    new = unescape(entity[0]).replace("\xa0", " ")
    makes_entity = new == "&" and re.match(_ENTITY[1:], entity.string[entity.end() : entity.end() + 10])
    return entity[0] if makes_entity or not new.isprintable() else new
