"""Every line of every file is a row, set aside with a status, or in quarantine with a reason."""

import datetime as dt
import gzip
import json
import pickle
import tempfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flywheel.errors import FlywheelError, RawChanged
from flywheel.labels import FeedbackPolicy
from flywheel.logs import pieces, reader
from flywheel.logs.raw import RawStore
from flywheel.logs.reader import whole_files
from flywheel.sources import SOURCES
from flywheel.stages import ingest
from flywheel.stages.label import label
from flywheel.storage.snapshots import Snapshot, Store

SECRET = b"s" * 32


class Home:
    """A raw store and a snapshot store in one folder, and the stage run over them."""

    def __init__(self, path: Path, secret: bytes = SECRET) -> None:
        self.path, self.secret = path, secret
        self.raw, self.store = RawStore(path / "raw"), Store(path / "snapshots")

    def drop(self, name: str, *given_lines: Any) -> str:
        """Keep a file of these lines (JSON, or bytes as they are); its digest."""
        return self.drop_bytes(
            name, b"".join((g if isinstance(g, bytes) else json.dumps(g).encode()) + b"\n" for g in given_lines)
        )

    def drop_bytes(self, name: str, data: bytes) -> str:
        (self.path / name).write_bytes(data)
        return self.raw.keep(self.path / name)[0].digest

    def run(self) -> "Home":
        self.files: Snapshot = self.store.publish(ingest.read_files(self.raw, self.secret))
        self.conversations = self.store.publish(ingest.conversations(self.files))
        self.feedback = self.store.publish(ingest.feedback(self.files))
        return self

    def rows(self) -> pl.DataFrame:
        return self.conversations.scan().sort("id").collect()

    def events(self) -> pl.DataFrame:
        return self.feedback.scan().sort("feedback_id").collect()

    def aside(self) -> list[tuple[Any, ...]]:
        both = [
            s.scan("set_aside").select("id", "line", "status").collect() for s in (self.conversations, self.feedback)
        ]
        return sorted(pl.concat(both).rows())

    def quarantine(self) -> list[tuple[int, str]]:
        return self.files.scan("quarantine").sort("line").select("line", "reason").collect().rows()

    def reconciled(self) -> pl.DataFrame:
        return ingest.reconcile(self.files, self.conversations, self.feedback)


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path)


def call(id: str, reply: str = "hello", day: int = 2, **further: Any) -> dict[str, Any]:
    return {
        "id": id,
        "timestamp": f"2026-03-{day:02}T12:00:00Z",
        "user_id": "ann",
        "request": {"model": "m", "messages": [{"role": "user", "content": "hi"}]},
        "response": {
            "id": f"c-{id}",
            "model": "m",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": reply}}],
        },
    } | further


def event(id: str, value: str = "up", day: int = 2, **further: Any) -> dict[str, Any]:
    when = f"2026-03-{day:02}T13:00:00Z"
    return {
        "event_id": id,
        "type": "thumbs",
        "request_id": "r1",
        "user_id": "ann",
        "created_at": when,
        "value": value,
    } | further


def asked(id: str, text: str = "hi") -> dict[str, Any]:
    return {
        "custom_id": id,
        "method": "POST",
        "url": "/v1",
        "body": {"model": "m", "messages": [{"role": "user", "content": text}]},
    }


def answered(id: str, *replies: str) -> dict[str, Any]:
    choices = [{"index": i, "message": {"role": "assistant", "content": r}} for i, r in enumerate(replies)]
    return {
        "id": "b",
        "custom_id": id,
        "response": {"status_code": 200, "body": {"created": 1772452800, "model": "m-1", "choices": choices}},
    }


def test_a_line_becomes_a_row_that_leads_back_to_its_bytes(home):
    digest = home.drop("a.jsonl", call("r1"), call("r2", day=3, session_id="s"))
    rows = home.run().rows()
    assert rows["id"].to_list() == ["openai_chat:r1", "openai_chat:r2"]
    assert rows["conversation_id"].to_list() == ["openai_chat:r1", "s"]
    assert rows["day"].to_list() == [dt.date(2026, 3, 2), dt.date(2026, 3, 3)]
    assert rows["origin"].unique().to_list() == ["logged"]
    assert [p.name for p in home.conversations.parts] == ["2026-03-02", "2026-03-03"]
    data = (home.path / "a.jsonl").read_bytes()
    for (ref,), native in zip(rows["raw"].to_list(), ["r1", "r2"], strict=True):
        assert ref["file"] == digest
        assert json.loads(data[ref["offset"] : ref["offset"] + ref["length"]])["id"] == native


def test_people_are_pseudonyms_alike_in_calls_and_feedback(tmp_path):
    made = {}
    for name, secret in (("one", b"a" * 32), ("two", b"b" * 32)):
        (tmp_path / name).mkdir()
        home = Home(tmp_path / name, secret)
        home.drop("a.jsonl", call("r1"), event("e1"))
        home.run()
        made[name] = home.rows()["user"].item()
        assert home.events()["actor"].item() == made[name]
        assert made[name].startswith("u_")
    assert made["one"] != made["two"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"", "blank_line"),
        (b" \r", "blank_line"),
        (b'{"id": "\xff"}', "invalid_utf8"),
        (b"ERROR connection reset", "not_json"),
        (b'{"id": 1e999}', "not_json"),
        (b"[" * 100_000, "not_json"),
        (b'["a list"]', "not_an_object"),
        (b"null", "not_an_object"),
        (b"{}", "unknown_format"),
        (json.dumps(call("x") | {"timestamp": None}).encode(), "no_timestamp"),
        (json.dumps(call("x") | {"request": {}}).encode(), "no_messages"),
        (json.dumps(event("x", value="sideways")).encode(), "bad_value"),
        (
            b'{"request":{"messages":[{"role":"user","content":"hi"}]},"timestamp":1,"deep":'
            + b"[" * 500
            + b"]" * 500
            + b"}",
            "too_deep",
        ),
    ],
)
def test_a_bad_line_costs_itself_alone(home, line, reason):
    home.drop("a.jsonl", call("r1"), line, event("e1"))
    home.run()
    assert home.quarantine() == [(2, reason)]
    assert home.files.scan("quarantine").select("raw").collect().item() == line
    assert (home.rows().height, home.events().height) == (1, 1)
    (counts,) = home.reconciled().to_dicts()
    assert (counts["lines"], counts["accepted"], counts["quarantined"]) == (3, 2, 1)


def test_a_line_of_excessive_length(home, monkeypatch):
    monkeypatch.setattr(reader, "LONGEST", 1000)
    home.drop("a.jsonl", call("r1", reply="x" * 1000), call("r2"))
    assert home.run().quarantine() == [(1, "line_too_long")]


def test_a_fault_of_a_source_costs_its_lines_not_the_build(home, monkeypatch):
    monkeypatch.setattr(SOURCES["openai_chat"], "read", lambda self, line: {}["gone"])
    home.drop("a.jsonl", call("r1"), event("e1"))
    home.run()
    assert home.quarantine() == [(1, "source_failed")]
    assert home.events().height == 1


def test_a_byte_order_mark_and_carriage_returns_do_no_harm(home):
    home.drop_bytes(
        "a.jsonl", b"\xef\xbb\xbf" + json.dumps(call("r1")).encode() + b"\r\n" + json.dumps(call("r2")).encode()
    )
    assert home.run().rows().height == 2


def test_a_file_that_breaks_off_keeps_its_lines_and_quarantines_the_rest(home):
    whole = gzip.compress(json.dumps(call("r1")).encode() + b"\n") + gzip.compress(b'{"id": "r2", "req')
    digest = home.drop_bytes("a.jsonl.gz", whole[:-4])
    assert home.run().quarantine() == [(2, "truncated_file")]
    assert home.rows()["native_id"].to_list() == ["r1"]
    report = ingest.ingest_report(home.files, home.conversations, home.feedback, [digest])
    assert (report["read"], report["accepted"], report["by_reason"]) == (2, 1, {"truncated_file": 1})


def test_a_changed_raw_file_stops_the_build_by_name(home):
    digest = home.drop("a.jsonl", call("r1"))
    file = home.raw.find(digest)
    file.path.chmod(0o644)
    file.path.write_bytes(b"{}\n")
    with pytest.raises(RawChanged, match=r"a\.jsonl"):
        home.run()


def test_one_source_may_be_named(home):
    home.drop("a.jsonl", call("r1"), event("e1"))
    files = home.store.publish(ingest.read_files(home.raw, SECRET, only_source="feedback_events"))
    assert (files.count("conversations"), files.count("feedback"), files.count("quarantine")) == (0, 1, 1)
    with pytest.raises(FlywheelError, match=r'no source "openai_chats"\. Did you mean "openai_chat"'):
        ingest.read_files(home.raw, SECRET, only_source="openai_chats")


def test_the_same_line_twice_adds_nothing(home):
    home.drop("a.jsonl", call("r1"), call("r1"), event("e1"))
    home.drop("b.jsonl", event("e1", received_at="2026-03-09T00:00:00Z"), call("r1"))
    home.run()
    assert (home.rows().height, home.events().height) == (1, 1)
    assert home.aside() == [
        ("feedback_events:e1", 1, "repeated"),
        ("openai_chat:r1", 2, "repeated"),
        ("openai_chat:r1", 2, "repeated"),
    ]
    assert home.rows()["raw"].item()[0]["line"] == 1
    assert home.reconciled().select("name", "lines", "accepted", "repeated").rows() == [
        ("a.jsonl", 3, 2, 1),
        ("b.jsonl", 2, 0, 2),
    ]


def test_the_earliest_of_identical_lines_stands(home):
    first = home.drop("z.jsonl", call("r1"))
    home.drop("a.jsonl", call("r0"), call("r1"))
    rows = home.run().rows()
    assert rows["raw"].to_list()[1][0]["file"] == first


def test_of_lines_that_contradict_each_other_the_latest_stands(home):
    digest = home.drop(
        "a.jsonl",
        call("r1", reply="old"),
        call("r1", reply="new", day=3),
        event("e1", value="up"),
        event("e1", value="down", day=3),
    )
    home.run()
    assert home.rows()["messages"].item()[-1]["content"] == "new"
    assert home.events()["value"].to_list() == [-1.0]
    assert home.aside() == [("feedback_events:e1", 3, "id_conflict"), ("openai_chat:r1", 1, "id_conflict")]
    report = ingest.ingest_report(home.files, home.conversations, home.feedback, [digest])
    assert report == {
        "read": 4,
        "accepted": 2,
        "quarantined": 2,
        "repeated": 0,
        "forgotten": 0,
        "by_reason": {"id_conflict": 2},
        "files": [
            {
                "name": "a.jsonl",
                "digest": digest,
                "read": 4,
                "accepted": 2,
                "quarantined": 2,
                "repeated": 0,
                "forgotten": 0,
            }
        ],
    }
    again = ingest.ingest_report(home.files, home.conversations, home.feedback, [digest], known=[digest])
    assert (again["read"], again["accepted"], again["quarantined"], again["repeated"]) == (4, 0, 2, 2)


def test_the_same_act_under_a_new_id_stays_a_row_with_the_same_digest(home):
    home.drop("a.jsonl", event("e1"), event("e2", received_at="2026-03-09T00:00:00Z"), event("e3", value="down"))
    digests = home.run().events()["digest"].to_list()
    assert digests[0] == digests[1] != digests[2]


def test_several_choices_are_several_rows_of_one_line(home):
    choices = [{"index": i, "message": {"role": "assistant", "content": t}} for i, t in enumerate("ab")]
    home.drop("a.jsonl", call("r1", response={"choices": choices}))
    rows = home.run().rows()
    assert rows["id"].to_list() == ["openai_chat:r1", "openai_chat:r1#1"]
    assert rows["conversation_id"].to_list() == ["openai_chat:r1"] * 2
    assert rows["prompt_digest"].n_unique() == 1
    assert home.reconciled()["accepted"].to_list() == [1]


def test_halves_of_a_call_are_joined_and_the_unmatched_wait(home):
    home.drop("in.jsonl", asked("a"), asked("b"), asked("a"))
    home.drop("out.jsonl", answered("c", "lost"), answered("a", "hello", "bye"))
    rows = home.run().rows()
    assert rows["id"].to_list() == ["openai_batch:a", "openai_batch:a#1"]
    assert [[m["content"] for m in ms] for ms in rows["messages"]] == [["hi", "hello"], ["hi", "bye"]]
    assert rows["half"].null_count() == 2
    assert rows["parameters"].to_list() == ['{"model":"m"}'] * 2
    assert [len(refs) for refs in rows["raw"]] == [2, 2]
    assert rows["digest"].n_unique() == 2
    assert home.aside() == [
        ("openai_batch:a", 3, "repeated"),
        ("openai_batch:b", 2, "waiting"),
        ("openai_batch:c", 1, "waiting"),
    ]
    counts = home.reconciled().select("name", "lines", "accepted", "repeated", "waiting").rows()
    assert counts == [("in.jsonl", 3, 2, 1, 1), ("out.jsonl", 2, 2, 0, 1)]
    home.drop("more.jsonl", asked("c"), asked("d"))
    assert home.run().rows().height == 3


def test_a_reply_that_is_not_the_first_choice_is_joined_too(home):
    answer = answered("a", "x", "second")
    del answer["response"]["body"]["choices"][0]
    home.drop("a.jsonl", asked("a"), answer)
    assert home.run().rows()["id"].to_list() == ["openai_batch:a#1"]
    assert home.aside() == []


def test_only_the_days_touched_are_made_again(home):
    home.drop("a.jsonl", call("r1"), call("r2", day=3), event("e1"))
    home.run()
    home.drop("b.jsonl", call("r3", day=3), event("e2", day=5))
    home.run()
    assert home.files.made == (home.raw.files()[1].digest,)
    assert home.conversations.made == ("2026-03-03",)
    assert home.feedback.made == ("2026-03-05",)
    home.run()
    assert home.conversations.made == home.feedback.made == home.files.made == ()


def test_every_part_can_be_handed_to_another_process(home):
    home.drop("a.jsonl", call("r1"), call("r2", day=3), asked("a"), answered("a", "x"), event("e1"), b"{}")
    home.run()
    sets = (
        ingest.read_files(home.raw, SECRET),
        ingest.conversations(home.files),
        ingest.feedback(home.files),
        label(home.conversations, home.feedback, FeedbackPolicy()),
    )
    for part in (p for dataset in sets for p in dataset.parts):
        here, there = part.make(), pickle.loads(pickle.dumps(part)).make()
        assert here.keys() == there.keys()
        assert all(here[table].equals(there[table]) for table in here)


def test_an_empty_home_has_empty_tables(home):
    home.run()
    assert home.rows().height == home.events().height == home.reconciled().height == 0
    assert ingest.ingest_report(home.files, home.conversations, home.feedback, [])["read"] == 0


# --- laws

log_lines = st.lists(
    st.one_of(
        st.builds(
            call, st.sampled_from("abc"), st.sampled_from(["x", "y"]), st.integers(2, 3), latency_ms=st.integers(1, 2)
        ),
        st.builds(event, st.sampled_from("abc"), st.sampled_from(["up", "down"]), st.integers(2, 3)),
        st.builds(asked, st.sampled_from("ab"), st.sampled_from(["x", "y"])),
        st.builds(answered, st.sampled_from("ab"), st.sampled_from(["x", "y"])),
        st.sampled_from([b"{}", b"", b"\xff"]),
    ),
    min_size=1,
    max_size=10,
)


@settings(max_examples=15, deadline=None)
@given(log_lines, st.integers(1, 900), st.sampled_from([b"", b"\xef\xbb\xbf"]), st.sampled_from([b"\n", b"\r\n"]))
def test_rows_do_not_depend_on_the_pieces_in_which_a_file_is_read(lines, size, mark, end):
    data = mark + end.join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines)
    found = []
    for piece in (pieces.PIECE, size):
        with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
            patch.setattr(pieces, "PIECE", piece)
            home = Home(Path(folder))
            digest = home.drop_bytes("a.jsonl", data)
            home.run()
            report = ingest.ingest_report(home.files, home.conversations, home.feedback, [digest])
            refused = home.files.scan("quarantine").sort("line").collect()
            found.append((home.rows(), home.events(), refused, whole_files(home.files).collect(), report, home.aside()))
    for whole, cut in zip(*found, strict=True):
        assert whole.equals(cut) if isinstance(whole, pl.DataFrame) else whole == cut


@settings(max_examples=10, deadline=None)
@given(log_lines, st.sampled_from([0, 300, 900]))
def test_rows_do_not_depend_on_what_fits_into_memory(lines, room):
    data = gzip.compress(b"\n".join(g if isinstance(g, bytes) else json.dumps(g).encode() for g in lines), mtime=0)
    found = []
    for batch, spill in ((reader.BATCH, reader.SPILL), (room // 3, room)):
        with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
            patch.setattr(reader, "BATCH", batch)
            patch.setattr(reader, "SPILL", spill)
            home = Home(Path(folder))
            home.drop_bytes("a.jsonl.gz", data)
            home.run()
            assert not list(home.raw.root.glob(".*")), "scratch files are left"
            tables = [home.files.scan(t).collect() for t in ("conversations", "feedback", "quarantine", "files")]
            found.append([*tables, home.rows(), home.events()])
    for held, aside in zip(*found, strict=True):
        assert held.equals(aside)


def test_what_is_put_aside_is_stored_as_the_same_bytes_each_time(home, tmp_path, monkeypatch):
    monkeypatch.setattr(reader, "BATCH", 300)
    monkeypatch.setattr(reader, "SPILL", 1000)
    home.drop("a.jsonl", *[call(f"r{i}", reply="x" * i) for i in range(50)], b"{}", event("e1"))
    (tmp_path / "again").mkdir()
    other = Home(tmp_path / "again")
    other.raw = home.raw
    assert home.run().files.version == other.run().files.version


@settings(max_examples=20, deadline=None)
@given(log_lines, st.data())
def test_rows_do_not_depend_on_the_order_of_lines_or_how_files_are_cut(lines, data):
    cuts = data.draw(st.lists(st.integers(0, len(lines)), max_size=3).map(sorted))
    found = []
    for order, ends in ((lines, []), (data.draw(st.permutations(lines)), cuts)):
        with tempfile.TemporaryDirectory() as folder:
            home = Home(Path(folder))
            for i, (start, end) in enumerate(zip([0, *ends], [*ends, len(order)], strict=True)):
                home.drop(f"{i}.jsonl", *order[start:end])
            home.run()
            totals = home.reconciled().select(pl.col(pl.Int64).sum()).to_dicts()[0]
            assert (
                totals["lines"] == totals["accepted"] + totals["quarantined"] + totals["repeated"] + totals["conflicts"]
            )
            found.append((home.rows().drop("raw"), home.events().drop("raw")))
    assert found[0][0].equals(found[1][0])
    assert found[0][1].equals(found[1][1])
