"""Corrections and questions asked again: what users say when the answer before was not what they meant. English and Korean.

It is an inference from words, told apart by its weight from what users say by a thumb: what is not recognised stays unlabelled.
"""

import polars as pl

HEAD = 240
"""Characters of a message looked at: a correction begins with one."""

ENGLISH = "|".join(
    (
        # No, I meant EUR. / Not that one, I asked for the total. / Sorry, I want it in euros
        r"^\W*(?:no+|nope|nah|not\b[^.?!\n]{0,30}|wait|sorry|oops|actually|hmm+)\b[.!]?[^.?!\n]{0,40}\bi (?:meant|mean|said|asked|wanted|want|was (?:asking|talking)|am asking)\b",
        r"^\W*i (?:meant|actually meant|said|asked for|did not (?:mean|ask|say)|didn['’]?t (?:mean|ask|say))\b",
        r"^\W*(?:no+|nope|nah)\W+(?:it['’]?s|it is|that['’]?s|that is|they['’]?re|not|the (?:other|right|correct)|use|in|for|with|my|i need)\b(?:[^.?!\n]{0,60}\bnot\b|\W+(?:wrong|incorrect|not)\b|[^.?!\n]{0,60}\binstead\b)",
        r"^\W*(?:no+\W+|but |actually\W+|sorry\W+)?(?:that['’]?s|that is|this is|it['’]?s|your (?:answer|reply|response) is|you['’]?re|you are) (?:still )?(?:wrong|incorrect|mistaken|not (?:right|correct|true|it\b|what))",
        r"^\W*(?:no+\W+)?you (?:misunderstood|misread|got (?:it|that|this) wrong|made (?:a|an) (?:mistake|error)|did(?:n['’]?t| not) (?:understand|answer|get (?:it|that)))",
    )
)
KOREAN = "|".join(
    (
        r"^\W*(?:아니|아뇨|아니요|아니오|앗|잠깐)[^\n]{0,40}(?:말고|아니라|말한|말하는|얘기한|뜻|의미|물어|질문한|원한|원하는)",
        r"^\W*(?:그게|그건|이게|그런 게|그 뜻이) 아니(?:라|고|에요|예요|야|었)",
        r"^\W*(?:제|내) 말은",
        r"^[^\n.?!]{0,30}(?:틀렸|잘못 (?:이해|알|대답|답|말)|오답)",
        r"^[^\n.?!]{0,30}\S+(?:이|가)? 아니라 \S+",
        r"^[^\n.?!]{0,20}\S+ 말고 \S+",
    )
)
PATTERN = f"(?i){ENGLISH}|{KOREAN}"
LEAST_WORDS, LEAST_SHARED = 3, 0.6
"""Words that two questions must have, and share of all their words in common, to be one question in other words."""


def corrects(text: pl.Expr) -> pl.Expr:
    """Whether a message corrects the answer before it."""
    return text.str.slice(0, HEAD).str.contains(PATTERN).fill_null(False)


def asks_again(text: pl.Expr, before: pl.Expr) -> pl.Expr:
    """Whether a message asks what the one before asked, in much the same words (Jaccard)."""
    words, known = (
        t.str.to_lowercase()
        .str.extract_all(r"[\p{L}\p{N}]+")
        .list.unique()
        .fill_null(pl.lit([], dtype=pl.List(pl.String)))
        for t in (text, before)
    )
    shared = words.list.set_intersection(known).list.len()
    every = words.list.set_union(known).list.len()
    long = (words.list.len() >= LEAST_WORDS) & (known.list.len() >= LEAST_WORDS)
    return (long & (shared >= LEAST_SHARED * every)).fill_null(False)
