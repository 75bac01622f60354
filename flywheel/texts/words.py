"""Words, as texts are compared by them: lower-cased, without punctuation, Chinese, Japanese and Korean by character."""

import polars as pl

CJK = (
    r"[\x{1100}-\x{11ff}\x{3041}-\x{30ff}\x{3131}-\x{318e}\x{3400}-\x{4dbf}\x{4e00}-\x{9fff}\x{ac00}-\x{d7a3}"
    r"\x{f900}-\x{faff}\x{20000}-\x{3134f}]"
)
_ASCII = r"[\x00-\x2f\x3a-\x40\x5b-\x60\x7b-\x7f]+"
BEYOND = r"[\x{a0}-\x{bf}\x{2000}-\x{206f}\x{3000}-\x{303f}\x{ff00}-\x{ff0f}\x{ff1a}-\x{ff20}]+"
"""Punctuation and white space, apart: classes of ASCII alone cost a seventieth in Rust's engine."""


def words(texts: pl.Series) -> pl.Series:
    """The list of words of each text; an empty one where there is nothing but punctuation. Nulls have none either."""
    plain = texts.fill_null("").str.to_lowercase().str.replace_all(_ASCII, " ").alias("text")
    foreign = (plain.str.len_bytes() != plain.str.len_chars()).arg_true()
    if len(foreign):
        apart = plain.gather(foreign).str.replace_all(BEYOND, " ").str.replace_all(f"({CJK})", " $1 ")
        plain = plain.scatter(foreign, apart.str.replace_all(" {2,}", " "))
    bare = plain.str.strip_chars(" ").to_frame()
    none = pl.lit([], dtype=pl.List(pl.String))
    split = pl.when(pl.col("text") == "").then(none).otherwise(pl.col("text").str.split(" "))
    return bare.select(split.alias(texts.name)).to_series()


def spaced(text: pl.Expr) -> pl.Expr:
    """The text lower-cased, one space in the place of punctuation and white space."""
    bare = text.str.to_lowercase().str.replace_all(_ASCII, " ").str.replace_all(BEYOND, " ")
    return bare.str.replace_all(" {2,}", " ").str.strip_chars(" ")


def letters(text: pl.Expr) -> pl.Expr:
    """The text lower-cased, without punctuation and white space."""
    return text.str.replace_all(_ASCII, "").str.replace_all(BEYOND, "").str.to_lowercase()
