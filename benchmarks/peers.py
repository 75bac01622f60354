"""The work of the benchmark as other tools do it, each in the environment that `speed.py` makes for it.

    PYTHON benchmarks/peers.py NAME INPUT OUTPUT

Near duplicates: sequences of five words, 128 hashes in 32 bands of 4; nothing else differs from a tool's default. A tool that cuts
words by rules of its own gets texts of our words with one space between two of them; for one that cuts none it is done here, as
part of the work. So all compare the same. A work gives which texts it holds for members of a group, and how many pairs it names
(null: none).
"""

import gc
import importlib.util
import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from measure import main

NGRAM, HASHES, BANDS, ROWS = 5, 128, 32, 4
BLOCK = 65_536


def texts_of(path: str) -> list[str]:
    """The texts of a JSON Lines file of strings."""
    with Path(path).open("rb") as file:
        return [json.loads(line) for line in file]


def our_words() -> Any:
    """The module that says what a word is. It needs nothing but Polars."""
    path = Path(__file__).parents[1] / "flywheel" / "texts" / "words.py"
    spec = importlib.util.spec_from_file_location("words", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


ASCII = r"\x00-\x2f\x3a-\x40\x5b-\x60\x7b-\x7f"
BEYOND = r"\xa0-\xbf\u2000-\u206f\u3000-\u303f\uff00-\uff0f\uff1a-\uff20"
CJK = (
    r"\u1100-\u11ff\u3041-\u30ff\u3131-\u318e\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff\U00020000-\U0003134f"
)
WORD = re.compile(f"[{CJK}]|[^{ASCII}{BEYOND}{CJK}]+")
"""The same words in Python."""


def shingles(text: str) -> list[str]:
    """Sequences of five words; a shorter text is one as a whole."""
    words = WORD.findall(text.lower())
    return [" ".join(words[i : i + NGRAM]) for i in range(max(1, len(words) - NGRAM + 1))]


# --- near duplicates


def rensa_flat(given: Any) -> Iterator[Any]:
    """rensa at its fastest: hashes of shingles made by Polars and NumPy, flags of a matrix in one shot."""
    import numpy as np
    import polars as pl
    import rensa

    texts, cut = pl.Series("text", texts_of(given["lines"])), our_words().words
    yield
    words = cut(texts)
    sizes = words.list.len().to_numpy().astype(np.int64)
    hashes = words.explode(empty_as_null=False).hash().to_numpy()
    starts = np.concatenate([[0], np.cumsum(sizes)])
    rolled = np.zeros(len(hashes), dtype=np.uint64)
    ahead = np.repeat(starts[1:], sizes) - np.arange(len(hashes))
    for step in range(NGRAM):
        shifted = np.concatenate([hashes[step:], np.zeros(step, dtype=np.uint64)])
        rolled = np.where(ahead > step, rolled * np.uint64(0x9E3779B97F4A7C15) + shifted, rolled)
    first = np.arange(len(hashes)) == np.repeat(starts[:-1], sizes)
    whole = (ahead >= NGRAM) | first
    bounds = np.concatenate([[0], np.cumsum(whole)])[starts].astype(np.uint64)
    matrix = rensa.RMinHash.digest_matrix_from_flat_token_hashes(rolled[whole], bounds, HASHES, 7)
    flags = rensa.RMinHashLSH(given["threshold"], HASHES, BANDS).query_duplicate_flags_matrix_one_shot(matrix)
    yield {"flags": [int(f) for f in flags], "pairs": None}


def rensa_tokens(given: Any) -> Iterator[Any]:
    """rensa from lists of tokens, its index asked for the candidates of every text."""
    import rensa

    texts = texts_of(given["lines"])
    yield
    hashed = rensa.RMinHash.from_token_sets([shingles(t) for t in texts], HASHES, 7)
    index = rensa.RMinHashLSH(given["threshold"], HASHES, BANDS)
    index.insert_many(hashed)
    found = index.query_all(hashed)
    yield {"flags": [int(len(f) > 1) for f in found], "pairs": sum(len(f) - 1 for f in found) // 2}


def datasketch(given: Any) -> Iterator[Any]:
    """MinHash and MinHashLSH, every text asked for its candidates."""
    from datasketch import MinHash, MinHashLSH

    texts = texts_of(given["lines"])
    yield
    index, hashed = MinHashLSH(params=(BANDS, ROWS), num_perm=HASHES), []
    for number, text in enumerate(texts):
        one = MinHash(num_perm=HASHES)
        one.update_batch([s.encode() for s in shingles(text)])
        index.insert(number, one, check_duplication=False)
        hashed.append(one)
    found = [len(index.query(one)) for one in hashed]
    yield {"flags": [int(n > 1) for n in found], "pairs": sum(n - 1 for n in found) // 2}


def text_dedup(given: Any) -> Iterator[Any]:
    """`embed_func` and the tables and union-find of its command line, without the data set around them."""
    from collections import defaultdict

    import numpy as np
    from text_dedup.minhash import RNG, SIGNATURE_COLUMN, embed_func
    from text_dedup.utils import UnionFind, xxh3_32hash

    texts = texts_of(given["words"])
    prime, largest = np.uint64((1 << 61) - 1), np.uint32((1 << 32) - 1)
    permutations = (
        RNG.randint(1, prime, size=(HASHES,), dtype=np.uint64),
        RNG.randint(0, prime, size=(HASHES,), dtype=np.uint64),
    )
    yield
    tables: list[dict[bytes, set[int]]] = [defaultdict(set) for _ in range(BANDS)]
    for number, text in enumerate(texts):
        made = embed_func(
            text, number, num_perm=HASHES, ngram_size=NGRAM, min_length=1, permutations=permutations, hash_func=xxh3_32hash,
            hashranges=[(i * ROWS, (i + 1) * ROWS) for i in range(BANDS)], dtype=np.uint64, max_hash=largest, modulo_prime=prime,
        )  # fmt: skip
        for table, signature in zip(tables, made[SIGNATURE_COLUMN], strict=True):
            table[signature].add(number)
    groups, flags = UnionFind(), [0] * len(texts)
    for table in tables:
        for cluster in table.values():
            if len(cluster) > 1:
                smallest = min(cluster)
                for number in cluster:
                    groups.union(number, smallest)
                    flags[number] = 1
    yield {"flags": flags, "pairs": None}


def datatrove(given: Any) -> Iterator[Any]:
    """Signatures, one pass per bucket, clusters: its three stages, one after the other in this process."""
    from datatrove.data import Document
    from datatrove.pipeline.dedup import MinhashDedupBuckets, MinhashDedupCluster, MinhashDedupSignature
    from datatrove.pipeline.dedup.minhash import MinhashConfig
    from datatrove.utils.logging import logger

    logger.remove()
    texts = texts_of(given["words"])
    config = MinhashConfig(n_grams=NGRAM, num_buckets=BANDS, hashes_per_bucket=ROWS)
    place = Path(tempfile.mkdtemp(dir="."))
    signatures, pairs, clusters = (str(place / name) for name in ("signatures", "pairs", "clusters"))
    MinhashDedupSignature(signatures, config).get_shingles("warm up the tokeniser of this language")
    yield
    MinhashDedupSignature(signatures, config).run(Document(text=t, id=str(i)) for i, t in enumerate(texts))
    for bucket in range(BANDS):
        MinhashDedupBuckets(signatures, pairs, config=config).run(None, bucket, BANDS)
    MinhashDedupCluster(pairs, clusters, config=config, save_cluster_id=True).run(None, 0, 1)
    flags = [0] * len(texts)
    members = (place / "clusters" / "000000.clusters").read_bytes()
    for at in range(0, len(members), 8):
        flags[int.from_bytes(members[at : at + 4], "little")] = 1
    found = sum(p.stat().st_size // 16 for p in (place / "pairs").glob("*.dups"))
    yield {"flags": flags, "pairs": found}
    shutil.rmtree(place)


def data_juicer(given: Any) -> Iterator[Any]:
    """`document_minhash_deduplicator` on a data set in memory."""
    from data_juicer.ops.deduplicator.document_minhash_deduplicator import DocumentMinhashDeduplicator
    from datasets import Dataset, disable_caching, disable_progress_bars
    from loguru import logger

    logger.remove()
    disable_caching()
    disable_progress_bars()
    rows = Dataset.from_dict({"text": texts_of(given["words"])})
    operator = DocumentMinhashDeduplicator(
        tokenization="space", window_size=NGRAM, num_permutations=HASHES, jaccard_threshold=given["threshold"],
        num_bands=BANDS, num_rows_per_band=ROWS,
    )  # fmt: skip
    yield
    operator.process(rows.map(operator.compute_hash))
    flags = [0] * len(rows)
    for table in operator.hash_tables:
        for cluster in table.values():
            if len(cluster) > 1:
                for number in cluster:
                    flags[number] = 1
    yield {"flags": flags, "pairs": None}


# --- reading lines


def _table(columns: dict[str, list[Any]], messages: list[Any]) -> int:
    """What both parsers end with: an Arrow table of a block of lines. Gives its height."""
    import polars as pl

    message = pl.Struct({"role": pl.String, "content": pl.String, "tool_calls": pl.String})
    return pl.DataFrame(columns | {"messages": pl.Series(messages, dtype=pl.List(message))}).height


def _content(value: Any, dumps: Any) -> str | None:
    """Text as it is, anything else as JSON."""
    return value if value is None or isinstance(value, str) else dumps(value).decode()


def ingest_orjson(given: Any) -> Iterator[Any]:
    """orjson line by line into columns; every line that is no call to quarantine with its place and bytes."""
    import orjson
    import polars  # noqa: F401

    yield
    good, bad = 0, []
    gc.disable()
    for path in given["files"]:
        columns: dict[str, list[Any]] = {n: [] for n in ("id", "timestamp", "user_id", "session_id", "app", "model")}
        messages: list[Any] = []
        offset = 0
        for number, line in enumerate(Path(path).read_bytes().split(b"\n"), 1):
            try:
                call = orjson.loads(line)
                said = [*call["request"]["messages"]]
                said += [c["message"] for c in call["response"].get("choices", ())]
                row = [
                    {
                        "role": m["role"],
                        "content": _content(m["content"], orjson.dumps),
                        "tool_calls": _content(m.get("tool_calls"), orjson.dumps),
                    }
                    for m in said
                ]
                values = [call[n] for n in ("id", "timestamp", "user_id", "session_id", "app")] + [
                    call["request"]["model"]
                ]
            except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as e:
                if line:
                    bad.append((path, number, offset, str(e), line))
            else:
                messages.append(row)
                for column, value in zip(columns.values(), values, strict=True):
                    column.append(value)
                if len(messages) >= BLOCK:
                    good += _table(columns, messages)
                    columns, messages = {n: [] for n in columns}, []
            offset += len(line) + 1
        good += _table(columns, messages)
    gc.enable()
    yield {"good": good, "bad": len(bad)}


def ingest_msgspec(given: Any) -> Iterator[Any]:
    """msgspec with typed structures, and the rest as above."""
    import msgspec
    import polars  # noqa: F401

    class Message(msgspec.Struct):
        role: str
        content: str | list[dict[str, Any]] | None = None
        tool_calls: list[dict[str, Any]] | None = None

    class Choice(msgspec.Struct):
        message: Message

    class Request(msgspec.Struct):
        model: str
        messages: list[Message]

    class Response(msgspec.Struct):
        choices: list[Choice] = []

    class Call(msgspec.Struct):
        id: str
        timestamp: str
        user_id: str
        session_id: str
        app: str
        request: Request
        response: Response

    read, dumps = msgspec.json.Decoder(Call).decode, msgspec.json.encode
    yield
    good, bad = 0, []
    gc.disable()
    for path in given["files"]:
        columns: dict[str, list[Any]] = {n: [] for n in ("id", "timestamp", "user_id", "session_id", "app", "model")}
        messages: list[Any] = []
        offset = 0
        for number, line in enumerate(Path(path).read_bytes().split(b"\n"), 1):
            try:
                call = read(line)
            except (msgspec.DecodeError, UnicodeDecodeError) as e:
                if line:
                    bad.append((path, number, offset, str(e), line))
            else:
                said = [*call.request.messages, *[c.message for c in call.response.choices]]
                messages.append(
                    [
                        {
                            "role": m.role,
                            "content": _content(m.content, dumps),
                            "tool_calls": _content(m.tool_calls, dumps),
                        }
                        for m in said
                    ]
                )
                values = (call.id, call.timestamp, call.user_id, call.session_id, call.app, call.request.model)
                for column, value in zip(columns.values(), values, strict=True):
                    column.append(value)
                if len(messages) >= BLOCK:
                    good += _table(columns, messages)
                    columns, messages = {n: [] for n in columns}, []
            offset += len(line) + 1
        good += _table(columns, messages)
    gc.enable()
    yield {"good": good, "bad": len(bad)}


def ingest_datatrove(given: Any) -> Iterator[Any]:
    """JsonlReader; its adapter joins the texts of a call. Lines that are a JSON array end it, and are taken out beforehand."""
    from datatrove.pipeline.readers import JsonlReader
    from datatrove.utils.logging import logger

    logger.remove()

    def adapter(_: Any, data: dict[str, Any], path: str, number: int) -> dict[str, Any]:
        said = [m["content"] for m in data["request"]["messages"]]
        said += [c["message"]["content"] for c in data["response"].get("choices", ())]
        return {"text": "\n".join(t for t in said if isinstance(t, str)), "id": data["id"]}

    with tempfile.TemporaryDirectory(dir=".") as place:
        for path in map(Path, given["files"]):
            lines = path.read_bytes().split(b"\n")
            (Path(place) / path.name).write_bytes(b"\n".join(line for line in lines if not line.startswith(b"[")))
        yield
        good = sum(1 for _ in JsonlReader(place, glob_pattern="*.jsonl", adapter=adapter).run())
        yield {"good": good, "bad": None}


# --- personal data

ONE_OF = (
    r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+"
    r"|\+[1-9][0-9 ().-]{7,16}[0-9]|\(?[2-9][0-9]{2}\)?[ .-][0-9]{3}[.-][0-9]{4}|01[016789]-[0-9]{3,4}-[0-9]{4}"
    r"|[0-9]{4}[ -][0-9]{4}[ -][0-9]{4}[ -][0-9]{4}"
    r"|[0-9]{3}-[0-9]{2}-[0-9]{4}"
    r"|(?:[0-9]{1,3}\.){3}[0-9]{1,3}"
    r"|[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}"
    r"|sk-[A-Za-z0-9_-]{20,}|AKIA[A-Z0-9]{16}|gh[pousr]_[A-Za-z0-9]{30,}"
)
"""Seven kinds of personal data as one expression of ASCII classes."""


def pii_reference(given: Any) -> Iterator[Any]:
    """One expression of ASCII classes over all texts in Polars, and the texts it hits redacted by `re`."""
    import polars as pl

    texts, hidden = pl.Series("text", texts_of(given["texts"])), re.compile(ONE_OF)
    yield
    hits = texts.str.contains(ONE_OF).arg_true()
    new = [hidden.sub("[HIDDEN]", t) for t in texts.gather(hits).to_list()]
    yield {"changed": len(texts.scatter(hits, new)) and len(hits)}


def pii_datatrove(given: Any) -> Iterator[Any]:
    """PIIFormatter: e-mail and IP addresses only."""
    from datatrove.pipeline.formatters import PIIFormatter

    texts, formatter = texts_of(given["texts"]), PIIFormatter(only_remove_public_ips=False)
    yield
    yield {"changed": sum(formatter.format(t) != t for t in texts)}


def pii_data_juicer(given: Any) -> Iterator[Any]:
    """`pii_redaction_mapper` with its defaults, text by text."""
    from data_juicer.ops.mapper.pii_redaction_mapper import PiiRedactionMapper

    texts, mapper = texts_of(given["texts"]), PiiRedactionMapper()
    yield
    yield {"changed": sum(mapper._redact_text(t) != t for t in texts)}


# --- language, cleaning, filters


def language_reference(given: Any) -> Iterator[Any]:
    """eldc on the first 500 characters of each text."""
    import eldc

    eldc.init()
    texts = texts_of(given["texts"])
    eldc.detect_mt("a sentence to warm up with")
    yield
    yield {"known": sum(eldc.detect_mt(t[:500]) != "und" for t in texts)}


def cleaning_reference(given: Any) -> Iterator[Any]:
    """White space and Markdown by expressions of ASCII classes, HTML by selectolax where a tag is seen, NFC where needed."""
    import unicodedata

    import polars as pl
    from selectolax.lexbor import LexborHTMLParser

    texts = pl.Series("text", texts_of(given["texts"]))
    yield
    tagged = texts.str.contains_any(["</", "/>", "<br"]).arg_true()
    texts = texts.scatter(tagged, [LexborHTMLParser(t).text() for t in texts.gather(tagged).to_list()])
    for pattern, new in (
        (r"(?m)^#{1,6} +", ""),
        (r"\*\*([^*\n]+)\*\*", "$1"),
        (r"\[([^\]\n]+)\]\([^)\n]+\)", "$1"),
        (r"(?m)^> ?", ""),
        (r"[ \t\r]{2,}|[\t\r]", " "),
        (r"\n{3,}", "\n\n"),
    ):
        texts = texts.str.replace_all(pattern, new)
    foreign = (texts.str.len_bytes() != texts.str.len_chars()).arg_true()
    texts = texts.scatter(foreign, [unicodedata.normalize("NFC", t) for t in texts.gather(foreign).to_list()])
    yield {"tagged": len(tagged)}


def cleaning_data_juicer(given: Any) -> Iterator[Any]:
    """`clean_html_mapper`, `fix_unicode_mapper` and `whitespace_normalization_mapper`, a thousand texts at a time."""
    from data_juicer.ops.mapper.clean_html_mapper import CleanHtmlMapper
    from data_juicer.ops.mapper.fix_unicode_mapper import FixUnicodeMapper
    from data_juicer.ops.mapper.whitespace_normalization_mapper import WhitespaceNormalizationMapper

    texts = texts_of(given["texts"])
    mappers = (CleanHtmlMapper(), FixUnicodeMapper(normalization="NFC"), WhitespaceNormalizationMapper())
    for mapper in mappers:
        mapper.process_batched({"text": ["<p>warm up</p>"]})
    yield
    for first in range(0, len(texts), 1000):
        batch: Any = {"text": texts[first : first + 1000]}
        for mapper in mappers:
            batch = mapper.process_batched(batch)
    yield {}


def filters_datatrove(given: Any) -> Iterator[Any]:
    """The repetition and quality filters of Gopher."""
    from datatrove.data import Document
    from datatrove.pipeline.filters import GopherQualityFilter, GopherRepetitionFilter

    filters = (GopherRepetitionFilter(), GopherQualityFilter())
    for one in filters:
        one.filter(Document(text="a sentence to warm up with", id=""))
    texts = texts_of(given["texts"])
    yield
    yield {"kept": sum(all(one.filter(Document(text=t, id="")) is True for one in filters) for t in texts)}


def filters_data_juicer(given: Any) -> Iterator[Any]:
    """Word repetition, character repetition and length, a thousand texts at a time."""
    from data_juicer.ops.filter.character_repetition_filter import CharacterRepetitionFilter
    from data_juicer.ops.filter.text_length_filter import TextLengthFilter
    from data_juicer.ops.filter.word_repetition_filter import WordRepetitionFilter
    from data_juicer.utils.constant import Fields

    filters = (WordRepetitionFilter(), CharacterRepetitionFilter(), TextLengthFilter())
    texts = texts_of(given["texts"])
    yield
    kept = 0
    for first in range(0, len(texts), 1000):
        batch: Any = {"text": texts[first : first + 1000]}
        batch[Fields.stats] = [{} for _ in batch["text"]]
        for one in filters:
            batch = one.compute_stats_batched(batch)
        kept += sum(all(each) for each in zip(*[list(one.process_batched(batch)) for one in filters], strict=True))
    yield {"kept": kept}


# --- benchmarks' items


def decontamination_reference(given: Any) -> Iterator[Any]:
    """A compiled scan: words by FNV hash, 13 in a row by a rolling hash, a bitmap of the items', then a binary search."""
    import numba
    import numpy as np

    size, bits = 13, 22

    @numba.njit(cache=False)  # type: ignore[misc]
    def scan(data, bounds, bitmap, known, hit):  # type: ignore[no-untyped-def]
        base = np.uint64(0x9E3779B97F4A7C15)
        top = np.uint64(1)
        for _ in range(size):
            top *= base
        ring = np.zeros(size, dtype=np.uint64)
        out = 0
        for one in range(len(bounds) - 1):
            rolled, many, word, inside = np.uint64(0), 0, np.uint64(14695981039346656037), False
            for at in range(bounds[one], bounds[one + 1] + 1):
                c = data[at] if at < bounds[one + 1] else 32
                if 65 <= c <= 90:
                    c += 32
                if 97 <= c <= 122 or 48 <= c <= 57 or c >= 128:
                    word = (word ^ np.uint64(c)) * np.uint64(1099511628211)
                    inside = True
                elif inside:
                    rolled = rolled * base + word - ring[many % size] * top
                    ring[many % size] = word
                    many += 1
                    word, inside = np.uint64(14695981039346656037), False
                    if many >= size:
                        mixed = rolled ^ (rolled >> np.uint64(29))
                        if len(known) == 0:
                            bitmap[out] = mixed
                            out += 1
                        elif bitmap[mixed >> np.uint64(64 - bits)]:
                            place = np.searchsorted(known, mixed)
                            if place < len(known) and known[place] == mixed:
                                hit[one] = True
            for i in range(size):
                ring[i] = 0
        return out

    def flat(texts: list[str]) -> Any:
        encoded = [t.encode() for t in texts]
        bounds = np.concatenate([[0], np.cumsum([len(e) for e in encoded])]).astype(np.int64)
        return np.frombuffer(b"".join(encoded), dtype=np.uint8), bounds

    items, bounds = flat(given["items"])
    found, hit, none = (
        np.zeros(len(items), dtype=np.uint64),
        np.zeros(len(bounds), dtype=np.bool_),
        np.zeros(0, dtype=np.uint64),
    )
    known = np.unique(found[: scan(items, bounds, found, none, hit)])
    bitmap = np.zeros(1 << bits, dtype=np.uint64)
    bitmap[known >> np.uint64(64 - bits)] = 1
    texts = texts_of(given["texts"])
    yield
    data, bounds = flat(texts)
    hit = np.zeros(len(texts), dtype=np.bool_)
    scan(data, bounds, bitmap, known, hit)
    yield {"hits": int(hit.sum())}


def decontamination_datatrove(given: Any) -> Iterator[Any]:
    """NGramsDecontFilter with sequences of 13 words; its index is written here, for its indexer wants lighteval."""
    import numpy as np
    from datatrove.data import Document
    from datatrove.pipeline.decont import NGramsDecontConfig, NGramsDecontFilter
    from datatrove.utils.logging import logger
    from datatrove.utils.text import ngrams, simplify_text

    logger.remove()
    config = NGramsDecontConfig(n_grams=13)
    place = Path(tempfile.mkdtemp(dir="."))
    one = NGramsDecontFilter(str(place), config)
    grams = {
        one.hash_func(" ".join(g))
        for item in given["items"]
        for g in ngrams(one.tokenizer.word_tokenize(simplify_text(item, config.norm_config)), 13)
    }
    np.array(sorted(grams), dtype=config.hash_config.np_descr).tofile(place / "gsm8k.index.hashes")
    texts = texts_of(given["texts"])
    one.filter(Document(text="a sentence to warm up with", id=""))
    yield
    yield {"hits": sum(one.filter(Document(text=t, id="")) is not True for t in texts)}
    shutil.rmtree(place)


WORKS = (
    rensa_flat, rensa_tokens, datasketch, text_dedup, datatrove, data_juicer,
    ingest_orjson, ingest_msgspec, ingest_datatrove,
    pii_reference, pii_datatrove, pii_data_juicer,
    language_reference, cleaning_reference, cleaning_data_juicer, filters_datatrove, filters_data_juicer,
    decontamination_reference, decontamination_datatrove,
)  # fmt: skip

if __name__ == "__main__":
    main({work.__name__: work for work in WORKS})
