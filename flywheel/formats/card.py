"""The dataset card: what a set is, where it came from, how it was made and checked. Made from its manifest alone."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from flywheel import plots
from flywheel.formats.provenance import fields
from flywheel.quality.scorecard import scorecard

SIZES = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
)

ABOUT = {
    "sft": "Prompts with the reply to learn: the one given, or the better one a person wrote in its place.",
    "preference": "Prompts with two replies: the one people preferred and the one they did not.",
    "kto": "Prompts with one reply, each marked as desired or not by the thumbs of users.",
    "reward": "Prompts with one reply and its score, normalised per rater.",
    "detector": "Texts, each marked by whether a model wrote it (true) or a person (false).",
    "corpus": "Documents, each a text to go on from.",
    "tool_use": "Requests that were met with tools: the calls, their results and the reply.",
    "cot": "Prompts with the reasoning and, apart from it, an answer that was verified.",
}


def task_of(kind: str) -> str:
    """What a trainer is to do with a set of this kind, as dataset tools name it."""
    return "text-classification" if kind == "detector" else "text-generation"


def card(manifest: Mapping[str, Any], facts: Mapping[str, Any]) -> str:
    """Markdown with the front matter that dataset tools read.

    `facts`: `source`, `model`, `language` (value -> conversations), `first_day`, `last_day`, `waterfall` (see there), `results`
    (see `with_results`), `coverage` (lines of MATRIX); any may be missing. Values from logs are escaped: they are not ours.
    """
    sections = [
        _front(manifest, facts),
        f"# {manifest['set']}\n\n{ABOUT.get(manifest['kind'], '')} Version `{manifest['version']}`, made by flywheel from production logs and feedback.",
        _contents(manifest),
        _tokens(manifest),
        _origin(manifest, facts),
        _rights(manifest),
        _provenance(manifest, facts),
        _made(manifest),
        _left_out(facts),
        _cells(manifest),
        _mix(manifest),
        _coverage(facts),
        _selection(manifest),
        _guidelines(manifest),
        _looked_at(manifest),
        _checks(manifest),
        _limits(manifest),
    ]
    return with_results("\n\n".join(s for s in sections if s) + "\n", facts.get("results", ()))


RESULTS = "\n## Results\n"


def with_results(text: str, table: Sequence[Mapping[str, Any]]) -> str:
    """A card with this last section: what models trained on the set scored, and their teacher, side by side. `table`: see
    `results.table`."""
    body = text.partition(RESULTS)[0].rstrip("\n") + "\n"
    rows = [[_plain(r["score"]), *[_score(r[k], r[f"{k}_error"]) for k in ("student", "teacher")]] for r in table]
    return body + (f"{RESULTS}\n{_table(['score', 'student', 'teacher'], rows)}\n" if rows else "")


def _score(value: float | None, error: float | None) -> str:
    return "–" if value is None else f"{value:.4g} ± {error:.2g}"


def _front(manifest: Mapping[str, Any], facts: Mapping[str, Any]) -> str:
    """The YAML front matter; JSON scalars and lists are YAML."""
    rows = sum(manifest["counts"].values())
    size = next((name for limit, name in SIZES if rows < limit), "n>10M")
    languages = [code for code in facts.get("language", {}) if code != "und" and len(code) == 2 and code.isascii()]
    lines = [
        "---",
        f"pretty_name: {_json(manifest['set'])}",
        *_licence(manifest),
        *([f"language: {_json(languages)}"] if languages else []),
        "source_datasets: [original]",
        f"size_categories: [{_json(size)}]",
        f"task_categories: [{task_of(manifest['kind'])}]",
        f"tags: {_json(['flywheel', manifest['kind']])}",
        "configs:",
    ]
    for place, form in enumerate(manifest["formats"]):
        prefix = "" if place == 0 else f"{form}/"
        files = [
            {"split": s, "path": name}
            for s in ("train", "validation")
            for end in ("jsonl", "parquet")
            if manifest["lines"].get(name := f"{prefix}{s}.{end}")
        ]
        if files:
            lines += [
                f"- config_name: {_json(form)}",
                *(["  default: true"] if place == 0 else []),
                f"  data_files: {_json(files)}",
            ]
    return "\n".join([line for line in lines if line != "configs:" or any(manifest["lines"].values())] + ["---"])


def _licence(manifest: Mapping[str, Any]) -> list[str]:
    """The licence: that of the sources where it is known of all of them and is one, else what is true instead."""
    rights = manifest.get("rights") or {"licences": {}, "table": ()}
    sources = [row["name"] for row in rights["table"] if row["subject"] == "licence"]
    names = sorted({rights["licences"].get(source, "unknown") for source in sources})
    if not names or "unknown" in names:
        return ["license: unknown"]
    return (
        [f"license: {_json(names[0].lower())}"]
        if len(names) == 1
        else ["license: other", f"license_name: {_json(' AND '.join(names))}"]
    )


def _contents(manifest: Mapping[str, Any]) -> str:
    rows = [[f"`{name}`", f"{len(ids):,}"] for name, ids in manifest["lines"].items()]
    return (
        "## Contents\n\n"
        + _table(["file", "lines"], rows)
        + (
            "\n\n`rows.parquet` holds every column of every example with the line it lies on; `manifest.json` the id behind each line."
        )
    )


def _tokens(manifest: Mapping[str, Any]) -> str:
    """Rows and tokens, and what shorter prompts save."""
    tokens = manifest.get("tokens")
    if not tokens or not tokens["examples"]:
        return ""
    n = tokens["examples"]
    sides = [(side, tokens[side]) for side in ("prompt", "completion", "rejected") if tokens[side]]
    rows = [[side, f"{total:,}", f"{total / n:,.1f}"] for side, total in sides]
    text = f"## Tokens\n\nAs {tokens['tokenizer']} counts them, in {n:,} rows.\n\n" + _table(
        ["of", "tokens", "a row"], rows
    )
    if "prompt_as_logged" in tokens:
        fewer = (tokens["prompt_as_logged"] - tokens["prompt"]) / n
        text += f"\n\nPrompts are {fewer:,.1f} tokens shorter than as logged ({tokens['prompt_as_logged'] / n:,.1f}): a model tuned on them is called so."
    if (worth := manifest.get("economics")) and worth["saved"]:
        text += f" Over {worth['calls']:,.0f} calls that saves {worth['saved']:,.2f}"
        even = worth["break_even_calls"]
        text += (
            f", and training for {worth['training']:,.2f} is paid after {even:,.0f} calls." if even is not None else "."
        )
    return text


def _origin(manifest: Mapping[str, Any], facts: Mapping[str, Any]) -> str:
    lines = []
    if facts.get("first_day"):
        lines.append(f"- Window: conversations of {facts['first_day']} to {facts['last_day']} (UTC).")
    for what, title in (("source", "Sources"), ("model", "Replies written by"), ("language", "Languages")):
        if counted := facts.get(what):
            lines.append(f"- {title}: " + ", ".join(f"{_plain(v)} ({n:,})" for v, n in counted.items()) + ".")
    if not manifest.get("rights"):
        lines.append("- Licences: not declared; the content is that of your own users.")
    if manifest["raw_files"]:
        lines.append(f"- Raw files: {len(manifest['raw_files']):,}, named by their SHA-256 in `manifest.json`.")
    return "## Where it comes from\n\n" + "\n".join(lines) if lines else ""


def _rights(manifest: Mapping[str, Any]) -> str:
    """Licences of the sources and terms of the models, held against the purpose."""
    if not (rights := manifest.get("rights")):
        return ""
    purpose = rights["purpose"]
    said = ", ".join(f"{k}: {_plain(v)}" for k, v in purpose.items() if v != "") if purpose else "none declared"
    rows = [
        [_plain(row[k]) for k in ("subject", "name", "stands", "verdict", "rows", "why")] for row in rights["table"]
    ]
    demands = sorted({f"- {_plain(row['demands'])}." for row in rights["table"] if row["demands"]})
    text = f"## Licences and terms\n\nPurpose: {said}.\n\n" + _table(
        ["of", "name", "stands under", "verdict", "rows", "why"], rows
    )
    return text + ("\n\nTo be done where it is distributed:\n\n" + "\n".join(demands) if demands else "")


def _provenance(manifest: Mapping[str, Any], facts: Mapping[str, Any]) -> str:
    """The fields of the Data Provenance Standards."""
    rows = [[group, name, _plain(value)] for group, name, value in fields(manifest, facts)]
    return "## Data provenance\n\n" + _table(["", "field", "value"], rows)


def _made(manifest: Mapping[str, Any]) -> str:
    """The steps, from the logs on."""
    lines = []
    for entry in reversed(manifest["derivation"]):
        steps = "; ".join(_step(s) for s in entry["steps"]) or "no parameters"
        lines.append(f"- **{_plain(entry['operation'])}** → {entry['name']} `{entry['version'][:12]}`: {steps}.")
    recipe = manifest["recipe"]
    return (
        f"## How it was made\n\nRecipe `{recipe['name']}` (`{recipe['digest'][:12]}`), engine {manifest['engine']}.\n\n"
        + "\n".join(lines)
    )


def _left_out(facts: Mapping[str, Any]) -> str:
    """From every conversation to the pool, in the order of the recipe."""
    keys = ("rows_in", "removed", "rows_out", "alone")
    rows = [[_plain(s["step"]), *[f"{s[k]:,}" for k in keys]] for s in facts.get("waterfall", ()) if s["hit"]]
    head = ["filter", "in", "left out", "out", "by it alone"]
    return "## What was left out\n\n" + _table(head, rows) if rows else ""


def _step(step: Mapping[str, Any]) -> str:
    told = ", ".join(f"{k}={_json(v)}" for k, v in step["parameters"].items() if v not in (None, {}, []))
    return _plain(f"{step['use']} v{step['version']}" + (f" ({told})" if told else ""))


def _cells(manifest: Mapping[str, Any]) -> str:
    notes = manifest["notes"]
    cells = [
        [_plain(c["cell"] or "all"), *[f"{c[k]:,}" for k in ("wanted", "available", "made")]]
        for c in notes.get("cells", ())
    ]
    text = "## Counts\n\n" + _table(["cell", "wanted", "available", "made"], cells) if cells else ""
    if rejected := notes.get("rejected"):
        text += "\n\n" + _table(["left out because", "rows"], [[_plain(r), f"{n:,}"] for r, n in rejected.items()])
    if labels := notes.get("labels"):
        text += (
            f"\n\n{labels['desired']:,} desired and {labels['undesired']:,} undesired; with desirable_weight = {labels['desirable_weight']:g} "
            f"and undesirable_weight = {labels['undesirable_weight']:g} both sides count the same."
        )
    return text


def _mix(manifest: Mapping[str, Any]) -> str:
    """The rows of each cell against the target, drawn; and what the shares of an axis follow."""
    notes = manifest["notes"]
    cells = notes.get("cells", ())
    parts = []
    if len(cells) > 1:
        names = [", ".join(p.partition("=")[2] or p for p in c["cell"].split(", ")) for c in cells]
        drawn = zip(names, [float(c["made"]) for c in cells], strict=True)
        parts.append(plots.bars(list(drawn), [float(c["wanted"]) for c in cells]))
    for axis, told in notes.get("follow", {}).items():
        columns = {"target": told["shares"]}
        if "declared" in told:
            columns["declared"] = told["declared"]
        if "reference" in told:
            columns[f"reference {told['reference']['name']}"] = told["reference"]["shares"]
        if usage := told.get("usage"):
            columns[f"usage, {usage['n']:,} {usage['weight']}, {usage['first']} to {usage['last']}"] = usage["shares"]
        values = sorted({v for shares in columns.values() for v in shares})
        rows = [[_plain(v), *(f"{s[v]:.2%}" if v in s else "–" for s in columns.values())] for v in values]
        blend = ", ".join(f"{w:g} {cause}" for cause, w in told["blend"].items())
        parts.append(f"`{axis}` follows {blend}.\n\n" + _table([axis, *columns], rows))
        if "reference" in told:
            parts.append("A reference is what others used, and no proven optimum.")
    if copies := notes.get("copies"):
        parts.append(
            f"{copies['rows']:,} rows repeat another, each at most {copies['max_copies']} times in all, in training only."
        )
    return "## Mix\n\n" + "\n\n".join(p for p in parts if p) if any(parts) else ""


def _coverage(facts: Mapping[str, Any]) -> str:
    """What the set holds of each value of each axis, drawn and in numbers, and how far that is off what was wanted."""
    rows = []
    for line in facts.get("coverage", ()):
        wanted = (("at least", line["least"]), ("at most", line["most"]))
        bounds = [f"{word} {bound:.1%}" for word, bound in wanted if bound is not None]
        short = "" if not line["replacing"] else f"{'short' if line['gap'] < 0 else 'beyond by'} {line['replacing']:,}"
        noise = ", within noise" if line["within_noise"] else ""
        drawn = "█" * round(10 * line["share"]) + "░" * (10 - round(10 * line["share"]))
        share = f"{line['share']:.1%} ({line['low']:.1%} to {line['high']:.1%})"
        name = [_plain(line["axis"]), _plain(line["value"]), f"{line['rows']:,} of {line['n']:,}"]
        rows.append([*name, drawn, share, " and ".join(bounds), short + noise])
    head = ["axis", "value", "rows", "", "share (95% interval)", "wanted", "gap"]
    return "## Coverage\n\n" + _table(head, rows) if rows else ""


def _selection(manifest: Mapping[str, Any]) -> str:
    """What the selection came to; the frontier of size and quality where it went by a score."""
    notes = manifest["notes"].get("selection")
    if not notes:
        return ""
    facts = [f"- {k.replace('_', ' ')}: {_plain(v)}" for k, v in notes.items() if not isinstance(v, list)]
    text = "## Selection\n\n`selection.parquet` holds every example that was there, kept or not.\n\n" + "\n".join(facts)
    for name in ("frontier", "cells"):
        if rows := notes.get(name):
            told = [[_plain(f"{v:,}" if isinstance(v, int) else v) for v in row.values()] for row in rows]
            text += "\n\n" + _table([k.replace("_", " ") for k in rows[0]], told)
    return text


def _guidelines(manifest: Mapping[str, Any]) -> str:
    """What the people and judges behind it labelled by."""
    told = manifest["notes"].get("guidelines", ())
    keys = ("name", "version", "sha256", "licence", "events", "examples")
    rows = [[_plain(g.get(k, "")) for k in keys] for g in told]
    table = _table([*keys], rows)
    return f"## Guidelines\n\nWhat the feedback behind the examples was given by.\n\n{table}" if rows else ""


def _looked_at(manifest: Mapping[str, Any]) -> str:
    """How much of it people have looked at, and whether they agree with its labels."""
    if not (told := manifest["notes"].get("looked_at")):
        return ""
    if not told["looked_at"]:
        return f"## Looked at\n\nNo expert has said anything of any of its {told['examples']:,} examples."
    who = "one expert" if told["people"] == 1 else f"{told['people']:,} experts"
    text = f"`looked_at`: {told['looked_at']:,} of {told['examples']:,} examples ({told['share']:.2%}), by {who}, last on {told['last']} (UTC)."
    if not told["compared"]:
        return f"## Looked at\n\n{text} Of none had anybody else said anything to compare with."
    band = f"{told['agreement']:.1%}, 95% interval {told['low']:.1%} to {told['high']:.1%}"
    return (
        f"## Looked at\n\n{text} Their verdict is what everybody else's words say in {told['agreed']:,} of {told['compared']:,} cases "
        f"({band}). Cases are examples, and rows that people's words alone took out of the set, which somebody else had judged, too."
    )


def _checks(manifest: Mapping[str, Any]) -> str:
    rows = [
        [
            "passed" if c.get("passed") else "FAILED" if c.get("blocking") else "warning",
            _plain(c["name"]),
            _plain(c.get("summary", "")),
        ]
        for c in manifest["checks"]
    ]
    if not rows:
        return ""
    traits = [[_plain(t["trait"]), _holds(t), _plain(t["found"])] for t in scorecard(manifest["checks"]) if t["judged"]]
    traits_told = "## Scorecard\n\n" + _table(["trait", "holds", "found"], traits) + "\n\n" if traits else ""
    return traits_told + "## Checks\n\n" + _table(["result", "check", "found"], rows)


def _holds(trait: Mapping[str, Any]) -> str:
    return f"{'yes' if trait['holds'] else 'no'}: {trait['passed']} of {trait['judged']} checks"


def _limits(manifest: Mapping[str, Any]) -> str:
    """The loss report: what each format cannot carry, of how many examples, and which examples it cannot hold at all."""
    lost = [
        [f"`{form}`", _plain(what), f"{loss['rows']:,}", ", ".join(map(_plain, loss["examples"]))]
        for form, losses in manifest["losses"].items()
        for what, loss in sorted(losses.items())
    ]
    for form, ids in manifest["refused"].items():
        for why, count in sorted(Counter(ids.values()).items()):
            some = [i for i, reason in ids.items() if reason == why][:5]
            lost.append([f"`{form}`", f"the whole example: {_plain(why)}", f"{count:,}", ", ".join(map(_plain, some))])
    head = ["format", "does not carry", "examples", "such as"]
    return "## What the formats leave out\n\n" + _table(head, lost) if lost else ""


def _table(head: list[str], rows: list[list[str]]) -> str:
    return "\n".join("| " + " | ".join(r) + " |" for r in [head, ["---"] * len(head), *rows])


def _plain(text: object) -> str:
    """Text from logs as it may stand in Markdown: no markup, no line ends, not too long."""
    flat = " ".join(str(text).split())[:300]
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>#|!" else c for c in flat)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
