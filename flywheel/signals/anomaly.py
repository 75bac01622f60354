"""Which rows are unlike all others, and in what."""

from collections.abc import Mapping
from typing import Any, ClassVar, Final, Literal

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import Field, model_validator

from flywheel.records import last_input, last_reply
from flywheel.vectors.embedded import Embedded, loaded, stored

F64 = npt.NDArray[np.float64]

WINDOWS, WIDE = 4, 64
"""Of a longer text, so many stretches of so many characters are read, evenly over its length."""
MARKS: Final[Mapping[str, tuple[float, str, str]]] = {
    "length": (0.5, "it is far longer than the others", "it is far shorter than the others"),
    "entropy": (0.25, "its characters are far more mixed", "its characters are far less mixed"),
    "letters": (0.05, "far more of it is letters", "far less of it is letters"),
    "digits": (0.05, "far more of it is digits", "far less of it is digits"),
    "capitals": (0.05, "far more of it is capital letters", "far less of it is capital letters"),
    "spaces": (0.05, "it has far more spaces", "it has far fewer spaces"),
    "word": (0.5, "it has a far longer word", "its words are far shorter"),
    "repetition": (0.05, "it repeats itself far more", "it repeats itself far less"),
    "surprise": (
        0.5,
        "its letters follow each other as in no other text",
        "its letters follow each other as in every text",
    ),
    "distance": (0.05, "its meaning is far from that of the others", "its meaning is that of all others"),
}
"""Feature -> the least spread it counts with, and what is said of a row that has far more, or far less, of it."""
SKETCH = pl.Schema(
    {"id": pl.String(), "script": pl.String()}
    | {name: pl.Float64() for name in MARKS if name not in ("surprise", "distance")}
    | {"codes": pl.List(pl.UInt16), "vector": pl.Binary()}
)
SCRIPTS = {
    "hangul": r"\p{Hangul}",
    "kana": r"[\p{Hiragana}\p{Katakana}]",
    "han": r"\p{Han}",
    "cyrillic": r"\p{Cyrillic}",
    "arabic": r"\p{Arabic}",
}
MOST = 20.0
"""No feature counts for more robust deviations than this."""
ALPHABET = 256.0


class Anomaly(Embedded, frozen=True):
    """How unlike the other rows of its script a row's input and reply are, and in what most.

    `anomaly_score` is the length of the vector of robust deviations (from the median, in units of the median absolute deviation, at most
    20 each): of length, entropy, classes of characters, longest word, repetition, of how well the other rows' letters foretell its
    own (a model of three characters), and where `by_meaning` is asked of the distance from the middle of all embeddings.
    `anomaly_why` says in words which deviates most. Both are null without text, and where fewer than `min_rows` rows are
    written in its script: too few to be unlike.
    """

    use: Literal["anomaly"] = "anomaly"
    scope: ClassVar[Literal["row", "corpus"]] = "corpus"
    gives: ClassVar[Mapping[str, Any]] = {"anomaly_score": pl.Float64, "anomaly_why": pl.String}
    sparse: ClassVar[frozenset[str]] = frozenset(gives)
    decided_later: ClassVar[frozenset[str]] = frozenset({"min_rows"})
    min_rows: int = Field(default=20, ge=3)
    """Rows of one script below which none of them is judged."""
    by_meaning: bool = False
    """Whether the distance of embeddings counts, too."""

    @model_validator(mode="after")
    def _asks_its_model(self) -> "Anomaly":
        if not self.by_meaning and (self.endpoint or self.model != "hashed"):
            raise ValueError(
                "by_meaning: a model is named and would not be asked; add by_meaning = true or leave it out"
            )
        return self

    def absent(self) -> str | None:
        return super().absent() if self.by_meaning else None

    def sketch(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        edited = self.edited(rows, last=2)
        said = pl.concat_str([last_input(), last_reply()], separator="\n").str.strip_chars()
        text = edited.select("id", text=said)
        size = pl.col("text").str.len_chars()
        stretches = [pl.col("text").str.slice(size * k // WINDOWS, WIDE) for k in range(WINDOWS)]
        read = text.with_columns(part=pl.when(size > WINDOWS * WIDE).then(pl.concat_str(stretches)).otherwise("text"))
        share = {
            "letters": r"\pL",
            "digits": r"[0-9]",
            "capitals": r"[A-Z]",
            "spaces": r"\s",
        }
        length = pl.col("part").str.len_chars().cast(pl.Float64).clip(1.0)
        counted = read.select(
            "id",
            "part",
            script=_script(pl.col("part")),
            length=(1.0 + size).log(2.0),
            word=(
                1.0
                + pl.col("part").str.extract_all(r"\S+").list.eval(pl.element().str.len_chars()).list.max().fill_null(0)
            ).log(2.0),
            **{name: pl.col("part").str.count_matches(pattern) / length for name, pattern in share.items()},
        )
        codes, entropy, repetition = _read(counted["part"])
        vectors = self.embed(text["text"]) if self.by_meaning else np.zeros((text.height, 1), dtype=np.float32)
        return (
            counted.with_columns(
                codes=codes, entropy=pl.Series(entropy), repetition=pl.Series(repetition), vector=stored(vectors)
            )
            .with_columns(script=pl.when(pl.col("part") != "").then("script"))
            .select(list(SKETCH))
            .cast(dict(SKETCH))  # type: ignore[arg-type]
            .lazy()
        )

    def relate(self, sketches: pl.LazyFrame) -> pl.LazyFrame:
        rows = sketches.sort("id").collect()
        judged = [self._judge(g) for g in rows.drop_nulls("script").partition_by("script", maintain_order=True)]
        found = pl.concat([pl.DataFrame(schema={"id": pl.String, **self.gives}), *judged])
        return rows.select("id").join(found, on="id", how="left", maintain_order="left").lazy()

    def _judge(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The scores of rows of one script."""
        if rows.height < self.min_rows:
            return pl.DataFrame(schema={"id": pl.String, **self.gives})
        told = {name: rows[name].to_numpy() for name in MARKS if name in rows.columns} | {
            "surprise": _surprise(rows["codes"])
        }
        if rows["vector"].null_count() < rows.height:
            there = rows["vector"].is_not_null().to_numpy()
            vectors = loaded(rows["vector"].drop_nulls()).astype(np.float64)
            middle = vectors.mean(axis=0)
            told["distance"] = np.full(rows.height, np.nan)
            told["distance"][there] = (1.0 - vectors @ middle / max(float(np.linalg.norm(middle)), 1e-9)).round(6)
        names = list(told)
        away = np.stack([_deviations(told[name], MARKS[name][0]) for name in names], axis=1)
        # Of a few letters, shares say little; only how few they are is sure.
        read = rows["codes"].list.len().to_numpy().astype(np.float64)
        away[:, [n != "length" for n in names]] *= (read / (read + 32.0))[:, None]
        most = np.abs(away).argmax(axis=1)
        why = [MARKS[names[at]][1 if away[row, at] > 0 else 2] for row, at in enumerate(most.tolist())]
        score = np.sqrt((away**2).sum(axis=1)).round(4)
        return pl.DataFrame({"id": rows["id"], "anomaly_score": score, "anomaly_why": why})


def _script(text: pl.Expr) -> pl.Expr:
    """The script of which at least a fifth of the letters are, the commonest of several; else latin."""
    letters = text.str.count_matches(r"\pL")
    counts = {name: text.str.count_matches(pattern) for name, pattern in SCRIPTS.items()}
    most = pl.max_horizontal(list(counts.values()))
    named = [
        pl.when((most > 0) & (most * 5 >= letters) & (count == most)).then(pl.lit(n)) for n, count in counts.items()
    ]
    return pl.coalesce(*named, pl.lit("latin"))


def _read(texts: pl.Series) -> tuple[pl.Series, F64, F64]:
    """Of each text: its characters as numbers below 4096, their entropy in bits, and the share of it in repeated threes."""
    codes, entropy, repetition = [], np.zeros(len(texts)), np.zeros(len(texts))
    for at, text in enumerate(texts.to_list()):  # at most 256 characters each
        points = np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32)
        code = np.where(points < 2048, points, 2048 + (points * np.uint32(2654435761) >> np.uint32(21)) % 2048)
        codes.append(code.astype(np.uint16))
        if len(code):
            share = np.unique(code, return_counts=True)[1] / len(code)
            entropy[at] = -(share * np.log2(share)).sum()
        if len(code) > 8:
            threes = np.lib.stride_tricks.sliding_window_view(code, 3).astype(np.int64) @ np.array(
                [1 << 24, 1 << 12, 1]
            )
            repetition[at] = 1.0 - len(np.unique(threes)) / len(threes)
    return pl.Series(codes, dtype=pl.List(pl.UInt16)), entropy.round(6), repetition.round(6)


def _surprise(texts: pl.Series) -> F64:
    """Bits a character of each text, foretold by the two before it from what all other texts have."""
    sizes = texts.list.len().to_numpy().astype(np.int64)
    codes = texts.explode(empty_as_null=False).to_numpy().astype(np.int64)
    owner = np.repeat(np.arange(len(sizes)), sizes)
    if len(codes) < 3:
        return np.zeros(len(sizes))
    inside = owner[2:] == owner[:-2]
    owner, pair = owner[2:][inside], ((codes[:-2] << 12) | codes[1:-1])[inside]
    three = (pair << 12) | codes[2:][inside]
    seen, before = _elsewhere(three, owner), _elsewhere(pair, owner)
    bits = -np.log2((seen + 0.05) / (before + 0.05 * ALPHABET))
    total = np.bincount(owner, weights=bits, minlength=len(sizes))
    return np.asarray((total / np.maximum(np.bincount(owner, minlength=len(sizes)), 1)).round(6))


def _elsewhere(grams: npt.NDArray[np.int64], owner: npt.NDArray[np.int64]) -> F64:
    """How often each gram is there in other texts than its own."""
    _, place, count = np.unique(grams, return_inverse=True, return_counts=True)
    _, mine, own = np.unique(owner * len(count) + place, return_inverse=True, return_counts=True)
    return np.asarray(count[place] - own[mine], dtype=np.float64)


def _deviations(values: F64, least: float) -> F64:
    """Robust deviations from the median, cut at MOST; 0 where nothing is known."""
    middle = np.nanmedian(values)
    spread = max(1.4826 * float(np.nanmedian(np.abs(values - middle))), least)
    return np.nan_to_num(np.clip((values - middle) / spread, -MOST, MOST))
