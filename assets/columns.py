"""What the UI says of each column. It is kept with the definition, once, and not with every event again."""

from collections.abc import Mapping

import dagster as dg
import polars as pl

from flywheel.coverage.matrix import MATRIX
from flywheel.coverage.wanted import SUFFIX
from flywheel.labels import LABELS
from flywheel.logs.reader import RAW_FILES
from flywheel.recipe import Recipe
from flywheel.records import CONVERSATIONS, FEEDBACK, SLIM
from flywheel.sets import EXAMPLES
from flywheel.stages.conflicts import CONFLICTS
from flywheel.stages.measure import MATCHES
from flywheel.stages.reserve import RESERVED
from flywheel.stages.review import REVIEW
from flywheel.storage.catalog_tables import COLUMNS

MEANINGS: Mapping[str, str] = {
    **COLUMNS,
    "name": "the name the file came under",
    "size": "bytes, as received",
    "lines": "lines in it",
    "accepted": "lines that were read",
    "quarantined": "lines that could not be read",
    "system_prompt_sha": "of the instructions as logged; null where there were none",
    "prompt_digest": "of every message but the last, and the tools",
    "reply_digest": "of the last message",
    "conversation_id": "the session; a split keeps it on one side",
    "turn": "number of the call in its session, from 0",
    "choice": "which of several replies to one call",
    "messages": "the messages sent and, last, the reply",
    "tools": "JSON schemas of the tools offered to the model",
    "source": "the log format it was read with",
    "origin": "logged, demonstrated, synthesized or distilled",
    "model": "who wrote the reply",
    "response_id": "the id the model's server gave",
    "finish_reason": "why the model stopped",
    "app": "application, workload or prompt name",
    "prompt_name": "name of the prompt template",
    "prompt_version": "version of the prompt template",
    "environment": "where it happened, such as prod or staging",
    "prompt_tokens": "as the server counted",
    "completion_tokens": "as the server counted",
    "latency_ms": "milliseconds from request to reply",
    "parameters": "JSON: the request but for model, messages and tools",
    "response_extra": "JSON: the response but for what has a column",
    "metadata": "JSON: every further key of the line",
    "half": "request or response, where a format splits a call over two lines",
    "feedback_id": "who it is; the same however often it arrives",
    "target_kind": "call or conversation",
    "target_id": "what it speaks of, as the application names it",
    "kind": "of feedback: thumb, rating, edit and so on; of an example: the kind of set; of a conflict: what the rows share",
    "explicit": "said by a person, not inferred from behaviour",
    "actor_kind": "end_user, expert, judge or code",
    "value": "thumb: 1 or -1; rating: as given",
    "text": "the comment",
    "correction": "the better reply that a person wrote",
    "chosen_id": "the reply preferred",
    "others": "the replies it was preferred to; of a ranking all, best first",
    "thumb": "1 or -1; null where none was given or people contradict each other",
    "thumbs_up": "people whose last word was up",
    "thumbs_down": "people whose last word was down",
    "contradicted": "up and down were both said of it",
    "rating": "mean of each rater's last rating, as given",
    "ratings": "each rater's last rating",
    "corrected_by": "edit or correction",
    "regenerated": "the user asked for another reply",
    "copied": "the user copied the reply",
    "abandoned": "the user left after the reply",
    "implicit": "sum of weak signs, good ones positive",
    "signs": "names of the weak signs",
    "comments": "how many comments there are",
    "feedback": "ids of the feedback events behind it",
    "prompt_chars": "characters of every message but the last",
    "reply_chars": "characters of the reply",
    "prompt_words": "words of every message but the last",
    "reply_words": "words of the reply",
    "turns": "messages of the user",
    "prompt_tokens_o200k": "tokens of every message but the last, o200k",
    "reply_tokens_o200k": "tokens of the reply, o200k",
    "input_language": "of the messages of the user, as language",
    "reply_language": "of the reply, as language",
    "symbol_share": "signs of the characters of the reply, from 0 to 1",
    "capital_share": "capitals of the letters of the reply, from 0 to 1",
    "letters": "letters of the reply; all beyond ASCII count",
    "lettered_word_share": "words of the reply with a letter, from 0 to 1",
    "mean_word_chars": "characters of a word of the reply",
    "stop_words_en": "words of the reply that are English stop words, from 0 to 1",
    "stop_words_ko": "words of the reply that end in a Korean particle, from 0 to 1",
    "bullet_share": "lines of the reply that begin with a bullet, from 0 to 1",
    "ellipsis_share": "lines of the reply that end in an ellipsis, from 0 to 1",
    "longest_line": "characters of the longest line of the reply",
    "garbled_share": "broken characters of the reply, from 0 to 1",
    "blob_share": "bytes of the reply in base64 or hexadecimal runs, from 0 to 1",
    "byte_entropy": "bits a byte of the reply",
    "reply_terms": "words of the reply; a Chinese or Japanese character is one",
    **{f"top_{n}gram": f"words of the reply in its most frequent {n} words, from 0 to 1" for n in (2, 3, 4)},
    **{f"repeated_{n}gram": f"words of the reply in {n} words said before, from 0 to 1" for n in range(5, 11)},
    "top_line": "lines of the reply that are its most frequent one, from 0 to 1",
    "repeated_lines": "lines of the reply that were there before, from 0 to 1",
    "repeated_paragraphs": "paragraphs of the reply that were there before, from 0 to 1",
    "benchmark_hit": "file and item of the benchmark it repeats most of",
    "benchmark_share": "share of that item's word sequences, from 0 to 1",
    "benchmark_span": "the words in common",
    "benchmark_nearest": "file and item of the benchmark it is nearest to in meaning",
    "benchmark_similarity": "cosine to that item",
    "benchmark_margin": "what the cosine is above the threshold; from 0 on it is a paraphrase",
    "language": "ISO 639-1, or und where it cannot be told",
    "exact_group": "smallest id of the rows with the same text",
    "near_group": "smallest id of the near duplicates it belongs to",
    "inner_repeat": "share of the reply in passages it has already said",
    "passage_share": "share of the reply in passages that other rows hold too",
    "passage_rows": "rows that hold its commonest passage",
    "passage_first": "smallest id of the rows that hold its commonest shared passage",
    "person": COLUMNS["person"],
    "question_group": "smallest id of the rows that ask the same",
    "answer_group": "smallest id of the rows that are answered the same",
    "near_similarity": "exact Jaccard similarity to the row that names the group (of that row: to the nearest one); null when alone",
    "task_type": "what the user's last message asks for",
    "detail": "short or detailed: how much the instruction says",
    "reference_kinds": "kinds of reference that the instruction has: an example, a list, a condition and so on",
    "answer_form": "yes_no, choice or open",
    "output_format": "json, table, list, code or prose: as asked for, else as given",
    "reasoning": "whether the reply shows its steps: apart, inline or none",
    "code_language": "the programming language most lines of code are in",
    "typos": "some or none; null where it cannot be judged",
    "typo_rate": "mistakes per word of the user's last message",
    "topic_cluster": "the topic found in the data, named by its words",
    "axis": "of a cell its axes, with commas",
    "why": "why it is here: held back for a person, or asked for by a batch; of coverage: a target, the usage, or only shown",
    "share": "of the examples with a value on the axis, from 0 to 1",
    "low": "lower end of the share's 95% interval",
    "high": "upper end of the share's 95% interval",
    "least": "the least share wanted",
    "most": "the largest share wanted",
    "usage": "share in the logs of the window",
    "usage_n": "requests, or users, the usage was taken over",
    "gap": "how far the share is off what is wanted, below 0 for short",
    "replacing": "rows to be replaced so that it is met",
    "adding": "rows to be added so that it is met; null where no number is enough",
    "within_noise": "the interval reaches what is wanted",
    "topic": "the recipe's topic it is nearest to; null where none is near",
    "topic_relevance": "how near, from 0 to 1; null where the user says nothing to judge",
    "first_year": "first year that the messages speak of",
    "last_year": "last year that they speak of",
    "anomaly_score": "how unlike the other rows of its script it is, in robust deviations",
    "anomaly_why": "in what most",
    "semantic_group": "smallest id of the rows that mean the same, as it does",
    "semantic_similarity": "highest cosine to another row of its system prompt; null when alone",
    "compared_by": "the signal that compared rows of one day with each other and with those of earlier days",
    "candidates": "pairs that were looked at, of rows not in one group yet",
    "verified": "of these, compared exactly; the others cannot reach the threshold",
    "pairs": "of these, alike",
    "largest_bucket": "the most texts with one key",
    "prompt": "the messages the completion answers",
    "learned": "of each message of the prompt, whether it is learned, too; null: the completion alone",
    "completion": "the reply to be learned; of a preference, the chosen one",
    "step_labels": "of each step of the completion, whether it is right; only in stepwise sets",
    "licence": "licence of the document; only in corpus sets",
    "rejected": "the reply not preferred; only in preference sets",
    "label": "desired or not; only in KTO sets",
    "score": "normalised by rater; only in reward sets",
    "raw_score": "the score as given",
    "signal": "which kind of feedback made it an example",
    "weight": "how much it counts",
    "queue": "why it is here: held back for a person, people contradict each other, or a batch asks for it",
    "priority": "1 is looked at first",
    "group": "what stays on one side of the split together",
}
"""Column -> what it means."""


def columns_of(recipe: Recipe) -> dict[str, dg.TableSchema]:
    """Asset -> the columns of its main table. The signals of the recipe decide on some of them."""
    given = {s.use: s.gives for s in recipe.signals}
    alone = {c: t for s in recipe.signals if s.scope == "row" for c, t in given[s.use].items()}
    corpus = {c: t for s in recipe.signals if s.scope == "corpus" for c, t in given[s.use].items()}
    key = {"id": pl.String(), "day": pl.Date()}
    undesired = {"undesired": pl.List(pl.String)}
    pool = {c: CONVERSATIONS[c] for c in SLIM} | {c: t for s in recipe.signals for c, t in given[s.use].items()}
    tables: dict[str, Mapping[str, object]] = {
        "raw_files": RAW_FILES["files"],
        "conversations": CONVERSATIONS,
        "feedback": FEEDBACK,
        "labels": LABELS,
        "measurements": key | alone,
        "matches": MATCHES,
        "signals": key | alone | corpus,
        "screened": {**CONVERSATIONS, **undesired},
        "curated": pool | undesired,
        "review": REVIEW,
        **({"reserved": RESERVED} if recipe.pilots else {}),
        **({"conflicts": CONFLICTS} if recipe.has_conflicts else {}),
        **{s.name: EXAMPLES for s in recipe.sets},
        **{c.name: EXAMPLES for c in recipe.curriculum},
        **{f"{s.name}{SUFFIX}": MATRIX for s in recipe.sets if s.covers},
    }
    return {asset: described(columns) for asset, columns in tables.items()}


def described(columns: Mapping[str, object]) -> dg.TableSchema:
    """Columns with their types and meanings."""
    return dg.TableSchema([dg.TableColumn(c, type_name(t), description=MEANINGS.get(c)) for c, t in columns.items()])


def type_name(dtype: object) -> str:
    """A Polars type in a word: the fields of a structure would fill the page."""
    if isinstance(dtype, pl.List):
        return f"list of {type_name(dtype.inner)}"
    if isinstance(dtype, pl.Struct):
        return "struct"
    if isinstance(dtype, pl.Datetime):
        return "timestamp (UTC)"
    return str(dtype).lower()
