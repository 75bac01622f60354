"""What a person reads in the terminal. 100 columns, colours only on a terminal; log text is never read as markup."""

import sys
from collections.abc import Mapping, Sequence
from typing import IO, Any

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

WIDTH = 100
Fact = Mapping[str, Any]


def console(file: IO[str] | None = None) -> Console:
    """A console of at most 100 columns; plain text when piped."""
    out = Console(file=file or sys.stdout, highlight=False, markup=False, emoji=False, soft_wrap=False)
    out.width = min(out.width, WIDTH) if out.is_terminal else WIDTH
    return out


def plain(text: object) -> str:
    """Text that came from a log, made harmless for a terminal: control characters are shown, not obeyed."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))


def build_summary(home: str, result: Fact) -> RenderableType:
    """Stages, sets and checks of one build, where the files are, and what to type next."""
    checks = result["checks"]
    return Group(
        _heading("Rows"),
        _stages(result["stages"]),
        *_waterfall(result.get("waterfall", ())),
        _heading("Sets"),
        _sets([*result["sets"], *result.get("curricula", ())], checks),
        *_checks(checks),
        *_errors(result),
        _verdict(result["trial"]) if "trial" in result else _next(home, result),
    )


def _verdict(told: Fact) -> RenderableType:
    """What a trial came to."""
    text = Text("\nTrial  ", style="bold")
    text.append("✓ passed" if told["passed"] else "✗ failed", style="green" if told["passed"] else "red")
    text.append(f" on {told['conversations']:,} of {told['of']:,} conversations; nothing of the home was touched.\n")
    for fault in told["faults"]:
        text.append(f"  ✗ {plain(fault)}\n", style="red")
    if told["not_judged"]:
        names = dict.fromkeys(c.partition(" · ")[2] for c in told["not_judged"])
        text.append(f"  Not judged in a trial: {', '.join(names)}.\n", style="dim")
    return text


def check_summary(result: Fact) -> RenderableType:
    """Every check that did not pass, and the count of those that did."""
    return Group(*_checks(result["checks"]), *_errors(result))


def _errors(result: Fact) -> list[RenderableType]:
    """What stopped a step, a sentence each."""
    return [Text(f"✗ {plain(e['error'])}", style="red") for e in result.get("errors", ())]


def _heading(text: str) -> Text:
    return Text(f"\n{text}", style="bold")


def _table(*columns: tuple[str, bool]) -> Table:
    """A quiet table; numbers (True) to the right."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="dim")
    for name, number in columns:
        table.add_column(name, justify="right" if number else "left", no_wrap=number, overflow="fold")
    return table


STAGE_MEANS = {
    "raw_files": "lines of files",
    "conversations": "model calls",
    "feedback": "feedback events",
    "labels": "feedback joined to calls",
    "signals": "calls measured",
    "screened": "after edits and filters",
    "curated": "without duplicates",
}


def _stages(stages: Sequence[Fact]) -> Table:
    table = _table(("stage", False), ("what", False), ("in", True), ("kept", True), ("left out, and why", False))
    for stage in stages:
        reasons = dict(stage["rejected"]) | dict(stage.get("reasons", {}))
        if stage["quarantined"] and not reasons:
            reasons = {"quarantined": stage["quarantined"]}
        why = ", ".join(f"{plain(r)} {n:,}" for r, n in sorted(reasons.items(), key=lambda kv: (-kv[1], kv[0])))
        table.add_row(
            stage["name"],
            Text("of an earlier build" if stage.get("behind") else STAGE_MEANS.get(stage["name"], ""), style="dim"),
            f"{stage['rows_in']:,}",
            f"{stage['rows_out']:,}",
            Text(why or "–", style="" if why else "dim"),
        )
    return table


def _waterfall(steps: Sequence[Fact]) -> list[RenderableType]:
    """What each filter took away, in the order of the recipe; those that hit nothing are named below."""
    if not (hits := [s for s in steps if s["hit"]]):
        return []
    table = _table(
        ("filter", False), ("in", True), ("removed", True), ("out", True), ("hit", True), ("by it alone", True)
    )
    for s in hits:
        table.add_row(plain(s["step"]), *[f"{s[k]:,}" for k in ("rows_in", "removed", "rows_out", "hit", "alone")])
    idle = [plain(s["step"]) for s in steps if not s["hit"]]
    return [_heading("Left out"), table, *([Text(f"nothing hit by: {', '.join(idle)}", style="dim")] if idle else [])]


def _sets(sets: Sequence[Fact], checks: Sequence[Fact]) -> RenderableType:
    if not sets:
        return Text("  The recipe asks for no set yet. Add a [[set]] to recipe.toml.")
    table = _table(
        ("set", False),
        ("kind", False),
        ("rows", True),
        ("train", True),
        ("validation", True),
        ("version", False),
        ("released", False),
    )
    for s in sets:
        blocked = [c["name"] for c in checks if c["asset"] == s["name"] and c["blocking"] and not c["passed"]]
        if s.get("behind"):
            verdict = Text("of an earlier build" + ("; that is released" if s["released"] else ""), style="yellow")
        elif s["released"]:
            verdict = Text("✓ released", style="green")
        else:
            verdict = Text(
                f"✗ no: {', '.join(blocked)}" if blocked else "✗ no" if s["version"] else "✗ not made", style="red"
            )
        table.add_row(
            s["name"],
            s["kind"],
            f"{s['rows']:,}",
            f"{s['train']:,}",
            f"{s['validation']:,}",
            str(s["version"] or "–"),
            verdict,
        )
    return table


def _checks(checks: Sequence[Fact]) -> list[RenderableType]:
    """Counts first, then each check that did not pass with its number and next step."""
    failed = [c for c in checks if not c["passed"] and c["blocking"]]
    warned = [c for c in checks if not c["passed"] and not c["blocking"]]
    count = Text("\nChecks  ", style="bold")
    off = sum(c["severity"] == "off" for c in checks)
    count.append(f"{len(checks) - len(failed) - len(warned) - off} passed", style="green")
    count.append(f", {len(warned)} warned", style="yellow" if warned else "dim")
    count.append(f", {len(failed)} failed", style="red" if failed else "dim")
    if off:
        count.append(f", {off} declared off", style="dim")
    lines: list[RenderableType] = [count]
    for mark, style, group in (("✗", "red", failed), ("!", "yellow", warned)):
        for c in group:
            line = Table.grid(padding=(0, 1))
            line.add_column(width=2, justify="right")
            line.add_column(overflow="fold")
            line.add_row(Text(mark, style=style), Text(f"{c['asset']} · {c['name']}", style=style))
            line.add_row("", Text(plain(c["summary"])))
            lines.append(line)
    return lines


def _next(home: str, result: Fact) -> RenderableType:
    made = [s for s in result["sets"] if s["path"]]
    text = Text(no_wrap=True, overflow="ignore")  # a path that is cut in two cannot be copied
    if made:
        text.append("\nFiles\n", style="bold")
        for s in made:
            old = "" if s["released"] else "  (an earlier version; this one is not released)"
            text.append(f"  {s['path']}/train.jsonl{old}\n")
    text.append("\nNext\n", style="bold")
    at = f" --home {home}"
    steps = [(f"flywheel up{at}", "see the graph, the checks and the sets in your browser")]
    if made:
        steps.append((f"flywheel why ID{at}", "where one row came from (ids are in rows.parquet beside train.jsonl)"))
    if not result["success"]:
        steps.insert(0, (f"flywheel build{at}", "again, after mending what is marked ✗ above"))
    else:
        steps.append((f"flywheel ingest FILE{at}", "add your own logs and feedback, then build again"))
    wide = max(len(command) for command, _ in steps)
    for command, what in steps:
        text.append(f"  {command:<{wide}}", style="cyan")
        text.append(f"  {what}\n" if wide + len(what) + 4 <= WIDTH else f"\n      {what}\n", style="dim")
    return text


def ingest_summary(home: str, result: Fact, errors: Sequence[str]) -> RenderableType:
    """What one `ingest` took and what it did not."""
    text = Text()
    text.append(f"{result['read']:,} lines read: ")
    text.append(f"{result['accepted']:,} accepted", style="green")
    text.append(f", {result['repeated']:,} repeated, ")
    text.append(f"{result['quarantined']:,} quarantined", style="yellow" if result["quarantined"] else "")
    text.append(f", {result['forgotten']:,} of somebody forgotten.\n" if result.get("forgotten") else ".\n")
    for reason, n in sorted(result["by_reason"].items(), key=lambda kv: (-kv[1], kv[0])):
        text.append(f"  {plain(reason)} {n:,}\n", style="dim")
    for error in errors:
        text.append(f"✗ {plain(error)}\n", style="red")
    if result["quarantined"]:
        text.append(f"  Look at them with: flywheel quarantine --home {home}\n", style="dim")
    if result["read"]:
        text.append("Next: ", style="bold")
        text.append(f"flywheel build --home {home}", style="cyan")
    return text


def why_story(story: Fact) -> RenderableType:
    """One row: where it came from, what happened to it, where it went."""
    text = Text()
    text.append(plain(story["id"]), style="bold")
    text.append(f"  ({story['kind']})\n")
    text.append("\nComes from\n", style="bold")
    for s in story["sources"]:
        text.append(f"  {s['file'] or 'a raw file that is gone'}\n")
        text.append(
            f"    {s['kind']} line {s['line']:,}, byte {s['byte_offset']:,} of {s['offset_within']}, sha256 {(s['digest'] or 'unreadable')[:16]} ",
            style="dim",
        )
        text.append(
            "unchanged\n" if s["intact"] else "CHANGED since it was read\n", style="green" if s["intact"] else "red"
        )
    text.append("\nWhat happened\n", style="bold")
    several = len({s.get("of") for s in story["steps"] if s["stage"] in ("measure", "curate")}) > 1
    for step in story["steps"]:
        text.append(f"  {step['stage']:<9}", style="cyan")
        text.append((f"{plain(step['of'])}: " if several and step.get("of") else "") + plain(step["what"]) + "\n")
        if "signals" in step:
            shown = ", ".join(
                f"{k} {v:.3f}" if isinstance(v, float) else f"{k} {v}"
                for k, v in step["signals"].items()
                if v is not None
            )
            text.append(f"           {plain(shown)}\n", style="dim")
    text.append("\nIs in\n", style="bold")
    for s in story["sets"]:
        where = f"line {s['line']:,} of {s['file']}" if s["line"] is not None else "candidate, not exported"
        text.append(f"  {s['set']} {s['version']}  {s['split']}, {where}{'  (current)' if s['current'] else ''}\n")
    if not story["sets"]:
        text.append("  no set\n", style="dim")
    return text


def diff_story(change: Fact, limit: int = 20) -> RenderableType:
    """What changed in a set, at most `limit` examples of each kind."""
    text = Text()
    text.append(
        f"{change['set']}  {change['old']['version']} ({change['old']['rows']:,} rows) → {change['new']['version']} ({change['new']['rows']:,} rows)\n",
        style="bold",
    )
    for kind, mark, style in (
        ("added", "+", "green"),
        ("removed", "-", "red"),
        ("changed", "~", "yellow"),
        ("moved", ">", "cyan"),
    ):
        text.append(f"\n{change['counts'][kind]:,} {kind}\n", style="bold")
        for r in change[kind][:limit]:
            to = f" ({r['split_old']} → {r['split']})" if kind == "moved" else f" ({r['split']})"
            text.append(f"  {mark} {plain(r['id'])}{to}\n", style=style)
            for sentence in r["why"]:
                text.append(f"      {plain(sentence)}\n", style="dim")
        if change["counts"][kind] > limit:
            text.append(f"  … and {change['counts'][kind] - limit:,} more (all of them with --json)\n", style="dim")
    return text


def order_table(found: Fact) -> RenderableType:
    """What each operator costs and removes, and the order proposed, with what it saves and the proof that nothing changes."""
    table = _table(("operator", False), ("", False), ("CPU ms per 1,000 rows", True), ("removes", True))
    for o in found["operators"]:
        per = 1e6 * o["seconds"] / max(found["sample"], 1)
        what = (
            {"edit": " of text", "filter": " of rows", "signal": " of rows as copies"}[o["kind"]]
            if o["removes"]
            else ""
        )
        table.add_row(o["kind"], plain(o["name"]), f"{per:,.1f}", f"{o['removes']:.2%}{what}")
    text = Text()
    text.append(f"\nMeasured on {found['sample']:,} of {found['rows']:,} conversations.\n", style="dim")
    text.append("Free: filters, in any order, for all are evaluated in one pass and every reason is kept.\n")
    text.append(
        "Fixed: the choice among duplicates comes after the filters, for a copy stays where its twin is rejected.\n"
    )
    for a, b in found["fixed"]:
        text.append(f"Fixed: {a} before {b}, for they feed each other.\n")
    now, then = found["predicted"]
    if not found["equal"]:
        text.append("Another order gave other rows, so none is proposed.\n", style="red")
    elif not found["changes"]:
        text.append(f"The edits stand in a cheap order already: {now:,.1f} s of CPU for all rows.\n", style="green")
    else:
        text.append(f"\nProposed for the edits: {' → '.join(found['proposed'])}\n", style="bold")
        text.append(f"  {then:,.1f} s instead of {now:,.1f} s of CPU for all rows; ")
        text.append(
            f"on the sample {found['measured'][1]:.2f} s instead of {found['measured'][0]:.2f} s, and the same bytes.\n"
        )
        text.append("  To have it as TOML: flywheel order --apply\n", style="dim")
    return Group(table, text)


def review_queue(rows: Sequence[Fact], total: int) -> RenderableType:
    """The rows that wait, what to look at first on top."""
    if not total:
        return Text("No row waits for a person.")
    table = _table(("priority", True), ("queue", False), ("name", False), ("id", False), ("why", False))
    for r in rows:
        table.add_row(str(r["priority"]), r["queue"], plain(r["name"]), plain(r["id"]), plain(r["why"]))
    more = (
        [Text(f"… and {total - len(rows):,} more (show them with --limit, or --out FILE)")] if total > len(rows) else []
    )
    return Group(table, *more)


def coverage_gaps(found: Sequence[Fact], plan: Sequence[Fact]) -> RenderableType:
    """What sets hold of the values wanted, and the plan that would close the gaps."""
    if not found and not plan:
        return Text("Every set covers what it shall.")
    table = _table(("set", False), ("of", False), ("has", True), ("wanted", True), ("short or beyond", True))
    for line in sorted(found, key=lambda line: (line["set"], -line["replacing"], line["axis"], line["value"])):
        bounds = (("at least", line["least"]), ("at most", line["most"]))
        wanted = ", ".join(f"{word} {bound:.1%}" for word, bound in bounds if bound is not None)
        adding = "no number" if line["adding"] is None else f"{line['adding']:,}"
        noise = ", within noise" if line["within_noise"] else ""
        gap = f"{line['replacing']:,} replacing, {adding} adding{noise}" if line["replacing"] else ""
        has = f"{line['rows']:,} of {line['n']:,}, {line['share']:.1%}"
        table.add_row(line["set"], plain(f"{line['axis']} = {line['value']}"), has, wanted, gap)
    tasks = _table(("set", False), ("way", False), ("rows", True), ("task", False))
    for job in plan:
        tasks.add_row(job["set"], job["way"], f"{job['rows']:,}", plain(job["task"]))
    return Group(table, Text(""), tasks) if plan else table


def diagnoses(found: Sequence[Fact]) -> RenderableType:
    """One line for each examination of `flywheel doctor`."""
    table = Table.grid(padding=(0, 1))
    table.add_column(width=2, justify="right")
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for d in found:
        table.add_row(
            Text("✓" if d["ok"] else "✗", style="green" if d["ok"] else "red"), d["name"], Text(plain(d["sentence"]))
        )
    return table


def cluster_report(found: Fact) -> RenderableType:
    """The largest clusters, and each axis before and after the copies were left out."""
    removed = ", ".join(f"{plain(reason)} {n:,}" for reason, n in found["removed"].items())
    counted = f"{found['rows_before']:,} rows, {found['rows_after']:,} kept; {found['clusters']:,} stand for others"
    largest = _table(("kept", False), ("rows", True), ("why the others went", False), ("least similar", True))
    for c in found["largest"]:
        alike = "–" if c["similarity"] is None else f"{c['similarity']:.3f}"
        largest.add_row(Text(plain(c["kept"])), f"{c['rows']:,}", Text(plain(", ".join(c["reasons"]))), alike)
    shifts = _table(("axis", False), ("value", False), ("before", True), ("after", True), ("shift", True))
    for s in found["shift"]:
        shares = [f"{s[side]:,} ({s[f'share_{side}']:.1%})" for side in ("before", "after")]
        shifts.add_row(s["axis"], Text(plain(s["value"])), *shares, f"{100 * s['shift']:+.1f}")
    said = Text(counted + (f" ({removed})" if removed else ""))
    return Group(said, _heading("Largest clusters"), largest, _heading("Before and after, shift in points"), shifts)


def rights(purpose: Fact | None, sets: Mapping[str, Sequence[Fact]]) -> RenderableType:
    """Sources and models of each set, what they stand under, and whether the purpose is permitted."""
    said = (
        ", ".join(f"{k}: {plain(v)}" for k, v in purpose.items() if v != "")
        if purpose
        else "none declared, so nothing is judged"
    )
    parts: list[RenderableType] = [Text(f"Purpose: {said}")]
    for name, rows in sets.items():
        found = _table(
            ("of", False), ("name", False), ("stands under", False), ("verdict", False), ("rows", True), ("why", False)
        )
        for row in rows:
            cells = [Text(plain(row[key])) for key in ("subject", "name", "stands", "verdict")]
            demands = f" To be done: {row['demands']}." if row["demands"] else ""
            found.add_row(*cells, f"{row['rows']:,}", Text(plain(row["why"] + demands)))
        parts += [_heading(name), found]
    return Group(*parts)


def release_table(found: Sequence[Fact]) -> RenderableType:
    """Every released version, and the scores of each."""
    if not found:
        return Text("nothing was released yet. Run: flywheel build")
    table = _table(
        ("set", False), ("version", False), ("train", True), ("validation", True), ("", False), ("scores", False)
    )
    for r in found:
        state = "current" if r["current"] else f"held back: {plain(r['held'])}" if r["held"] else ""
        scores = ", ".join(f"{plain(s['score'])} {_score(s)}" for s in r["scores"])
        table.add_row(r["set"], r["version"], f"{r['train']:,}", f"{r['validation']:,}", state, scores or "–")
    return table


def _score(told: Fact) -> str:
    student = "–" if told["student"] is None else f"{told['student']:.4g} ± {told['student_error']:.2g}"
    return (
        student
        if told["teacher"] is None
        else f"{student} (teacher {told['teacher']:.4g} ± {told['teacher_error']:.2g})"
    )


def score_table(set_name: str, version: str, scores: Sequence[Fact]) -> RenderableType:
    """The scores of one version."""
    text = Text(f"{set_name} {version}\n", style="bold")
    for s in scores:
        text.append(f"  {plain(s['score'])}: {_score(s)}\n", style="")
    return text if scores else Text(f"no result of {set_name} {version} was told yet.")


def quarantined(lines: Sequence[Fact], total: int) -> RenderableType:
    """Quarantined lines, escaped."""
    text = Text()
    for q in lines:
        text.append(f"{plain(q['name'])} line {q['line']:,}, byte {q['byte_offset']:,}: ", style="bold")
        text.append(f"{plain(q['reason'])}", style="yellow")
        text.append(f" {plain(q['detail'] or '')}\n")
        text.append(f"  {plain(q['raw'])[: 2 * WIDTH]}\n", style="dim")
    if not total:
        text.append("No line is in quarantine.\n")
    elif total > len(lines):
        text.append(f"… and {total - len(lines):,} more (show them with --limit)\n", style="dim")
    return text
