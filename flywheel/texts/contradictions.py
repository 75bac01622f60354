"""Whether two texts say the opposite or only say it otherwise: rules for short looks, English, Korean, Japanese, Chinese."""

import re
from dataclasses import dataclass
from typing import NamedTuple

import polars as pl

from flywheel.texts.words import words

YES = frozenset(
    [
        "yes",
        "yeah",
        "yep",
        "yup",
        "sure",
        "correct",
        "true",
        "absolutely",
        "certainly",
        "definitely",
        "indeed",
        "네",
        "예",
        "넵",
        "맞습니다",
        "맞아요",
        "그렇습니다",
        "그래요",
        "はい",
        "ええ",
        "そうです",
        "是",
        "是的",
        "对",
        "對",
        "对的",
    ]
)
NO = frozenset(
    [
        "no",
        "nope",
        "nah",
        "incorrect",
        "false",
        "never",
        "wrong",
        "아니요",
        "아니오",
        "아뇨",
        "아닙니다",
        "아니에요",
        "틀렸습니다",
        "いいえ",
        "違います",
        "不",
        "不是",
        "否",
        "不对",
        "不對",
    ]
)
NEGATIONS = frozenset(
    [
        "not",
        "no",
        "never",
        "cannot",
        "without",
        "cant",
        "dont",
        "doesnt",
        "didnt",
        "isnt",
        "arent",
        "wasnt",
        "werent",
        "wont",
    ]
)
"""Words that two texts may differ in and still be alike."""
_NEGATION = re.compile(
    r"\b(?:not|no|never|cannot|without)\b|n['’]t\b|지 ?않|지 ?못|없|아니|(?<![가-힣])[안못] |ない|ません|[不没沒]",
    re.IGNORECASE,
)
_FINAL = re.compile(
    r"####[ \t]*([^\n]{1,60})|\\boxed\{([^{}\n]{1,60})\}"
    r"|(?:final answer(?: is)?|the answer is|\banswer:|정답은|답은|答えは|答案是)[ \t]*[:：]?[ \t]*([^\n]{1,60})",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"(?<![0-9A-Za-z_.])[-+]?[0-9]+(?:[,.][0-9]+)*")
_MARKER = re.compile(r"^[ \t]*[0-9]{1,3}[.)][ \t]", re.MULTILINE)
"""The number of an item of a list."""
ALIKE = 0.5
"""Similarity from which two texts differ in a detail, and a number or a negation in one of them is that detail."""
BRIEF = 60
"""Words up to which a negation turns a text round; in a longer one it turns a sentence."""
SHORT = 5
"""Words of an answer that is all answer: two such with nothing in common answer differently."""


class Verdict(NamedTuple):
    """What two texts are to each other: `contradiction` or `variation`, by which rule, and why in a sentence."""

    verdict: str
    rule: str
    why: str
    similarity: float


@dataclass(frozen=True, slots=True)
class Features:
    """What the rules look at in a text."""

    stance: str
    """yes | no | "", by how it begins."""
    final: str
    """The answer it marks as final, else ""."""
    numbers: frozenset[str]
    tokens: frozenset[str]
    """Words but for numbers and negations."""
    negations: int
    words: int


def features(texts: pl.Series) -> list[Features]:
    """What there is to know of each text."""
    tokens = words(texts.str.replace_all("'|’", "")).to_list()
    return [_features(text, listed) for text, listed in zip(texts.to_list(), tokens, strict=True)]


def _features(text: str, tokens: list[str]) -> Features:
    numbers = frozenset(_plain(n) for n in _NUMBER.findall(_MARKER.sub("", text[:20_000])))
    kept = frozenset(t for t in tokens if t not in NEGATIONS and not t.isdigit())
    marked = [next(g for g in m if g) for m in _FINAL.findall(text[-2_000:])]
    final = _settled(marked[-1]) if marked else ""
    return Features(_stance(text), final, numbers, kept, len(_NEGATION.findall(text[:2_000])), len(tokens))


def _stance(text: str) -> str:
    """Whether a text begins with yes or with no."""
    start = re.split(r"[\s,.!?:;。、，！？]+", text[:80].strip().lower(), maxsplit=1)[0].strip("*_\"'`“”")
    return "yes" if start in YES else "no" if start in NO else ""


def _settled(answer: str) -> str:
    """A final answer without what does not matter; its number where it has one."""
    numbers = _NUMBER.findall(answer)
    return _plain(numbers[0]) if numbers else " ".join(re.findall(r"[^\W_]+", answer.lower())[:6])


def _plain(number: str) -> str:
    """1,200.50 and 1200.5 are one number."""
    bare = number.replace(",", "").lstrip("+")
    return bare.rstrip("0").rstrip(".") if "." in bare else bare.lstrip("0") or "0"


def of_answers(a: Features, b: Features) -> Verdict:
    """Two answers to one question."""
    alike = _similarity(a, b)
    if a.stance and b.stance and a.stance != b.stance:
        return Verdict("contradiction", "yes_or_no", "one begins with yes, the other with no", alike)
    if a.final and b.final:
        same = a.final == b.final
        why = "both mark the same final answer" if same else f"the final answers are {a.final} and {b.final}"
        return Verdict("variation" if same else "contradiction", "final_answer", why, alike)
    if found := _detail(a, b, alike):
        return found
    if 0 < a.words <= SHORT and 0 < b.words <= SHORT and not a.tokens & b.tokens and not a.numbers & b.numbers:
        return Verdict("contradiction", "nothing_in_common", "both are short and have no word in common", alike)
    return Verdict(
        "variation", "wording", f"they share {alike:.0%} of their words and no rule sees a difference", alike
    )


def of_questions(a: Features, b: Features) -> Verdict:
    """Two questions that got one answer: it cannot be right for both where they ask the opposite or of other numbers."""
    alike = _similarity(a, b)
    return _detail(a, b, alike) or Verdict("variation", "wording", f"they share {alike:.0%} of their words", alike)


def _detail(a: Features, b: Features, alike: float) -> Verdict | None:
    """A contradiction in a detail of texts that are otherwise alike."""
    if alike < ALIKE:
        return None
    if max(a.words, b.words) <= BRIEF and a.negations % 2 != b.negations % 2:
        return Verdict("contradiction", "negation", "they are alike but for a negation", alike)
    mine, other = (", ".join(sorted(x.numbers - y.numbers)[:3]) for x, y in ((a, b), (b, a)))
    if mine and other:
        return Verdict("contradiction", "numbers", f"they are alike but for {mine} and {other}", alike)
    return None


def _similarity(a: Features, b: Features) -> float:
    """Jaccard similarity of the words, numbers and negations aside; 1 where neither has others."""
    return len(a.tokens & b.tokens) / len(every) if (every := a.tokens | b.tokens) else 1.0
