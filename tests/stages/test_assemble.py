"""Assembly: feedback of removed copies, choice, split, and the examples themselves."""

import datetime as dt

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flywheel.choices.selection import SELECTION, Diverse, Importance, Prune, Top
from flywheel.edits.redact_email import RedactEmail
from flywheel.lineage import account
from flywheel.records import REJECTED, message_digest, short_hash
from flywheel.sets import EXAMPLES, REJECTED_EXAMPLES
from flywheel.sets.kto import Kto
from flywheel.sets.preference import Preference
from flywheel.sets.reward import Reward
from flywheel.sets.sft import Sft
from flywheel.stages.assemble import Inputs, assemble, kept_instead, remap_labels
from flywheel.storage.snapshots import Store
from tests.build import chat
from tests.pools import NOON, comparison, comparisons_of, label, labels_of, pool_of, published, screened_of, snapshot

SECRET = b"k" * 32


def made(tmp_path, wanted, screened, edits=(), seed=1, **pool):
    store = Store(tmp_path / "snapshots")
    found = published(store, screened, **pool)
    return store.publish(assemble(wanted, Inputs(**found), seed, edits, SECRET))


def chats(n, **columns):
    return [
        chat(f"user: q{i}", f"assistant: r{i}", id=f"r{i:03}", conversation_id=f"c{i}", user=f"u{i}", **columns)
        for i in range(n)
    ]


def test_row_2_a_log_row_becomes_one_example_byte_for_byte(tmp_path):
    tools = '[{"type":"function","function":{"name":"f"}}]'
    turns = (
        "system: Be  brief.\n",
        "user: hé 🙂",
        {"role": "assistant", "content": None, "reasoning": "so", "tool_calls": '[ {"id":"1"}]'},
    )
    row = chat(*turns, id="openai_chat:81", tools=tools)
    out = made(tmp_path, Sft(name="s"), screened_of(row)).scan().collect()
    assert out.schema == EXAMPLES
    (example,) = out.to_dicts()
    logged = row["messages"].to_list()[0]
    assert (example["prompt"], example["completion"], example["rejected"]) == (logged[:-1], logged[-1:], None)
    assert (example["id"], example["parents"], example["tools"], example["origin"]) == (
        "openai_chat:81",
        ["openai_chat:81"],
        tools,
        "logged",
    )
    assert (example["kind"], example["cell"], example["group"]) == ("sft", "", "openai_chat:81")
    assert example["digest"] == short_hash(message_digest(logged[:-1], tools), message_digest(logged[-1:]), "")


def test_row_3_one_question_under_two_system_prompts_is_two_examples(tmp_path):
    rows = screened_of(
        chat("system: v1", "user: hi", "assistant: a", id="a", prompt_version="1"),
        chat("system: v2", "user: hi", "assistant: a", id="b", prompt_version="2"),
    )
    out = made(tmp_path, Sft(name="s"), rows).scan().collect()
    assert [p[0]["content"] for p in out["prompt"].to_list()] == ["v1", "v2"]
    assert out["digest"].n_unique() == 2


def test_row_4_an_edit_gives_a_pair_and_identical_sides_do_not(tmp_path):
    rows = screened_of(*chats(2))
    said = comparisons_of(
        comparison("edit", None, "r000", correction="better"),
        comparison("edit", None, "r001", correction=" r1\n"),
    )
    out = made(tmp_path, Preference(name="p"), rows, comparisons=said)
    (pair,) = out.scan().collect().to_dicts()
    assert (pair["completion"][0]["content"], pair["rejected"][0]["content"]) == ("better", "r0")
    assert (pair["signal"], pair["origin"], pair["parents"]) == ("edit", "demonstrated", ["r000"])
    reasons = dict(out.scan("rejected").select("id", "reasons").collect().iter_rows())
    assert reasons.pop("r001") == ["NO_CONTRAST"]
    assert list(reasons.values()) == [["NO_CONTRAST"]]


def test_row_5_scores_reach_the_examples(tmp_path):
    ratings = {"r000": 1.0, "r001": 3.0}
    said = labels_of(*[label(i, ratings=[{"rater": "x", "value": v, "feedback_id": i}]) for i, v in ratings.items()])
    out = made(tmp_path, Reward(name="r"), screened_of(*chats(3)), labels=said)
    assert out.scan().select("id", "score", "raw_score").collect().rows() == [("r000", -1.0, 1.0), ("r001", 1.0, 3.0)]
    assert out.notes["rejected"] == {"no_rating": 1}


def test_row_6_the_balance_of_labels_and_the_weights_that_even_it(tmp_path):
    said = labels_of(
        *[label(f"r{i:03}", thumb=1 if i < 90 else -1) for i in range(100)], label("r100", contradicted=True)
    )
    out = made(tmp_path, Kto(name="k"), screened_of(*chats(101)), labels=said)
    assert out.notes["labels"] == {
        "desired": 90,
        "undesired": 10,
        "minority_share": 0.1,
        "desirable_weight": 1.0,
        "undesirable_weight": 9.0,
    }
    assert out.notes["rejected"] == {"CONTRADICTED": 1}


def test_row_13_only_the_disliked_turn_is_missing(tmp_path):
    turns = ["user: 1", "assistant: one", "user: 2", "assistant: two", "user: 3", "assistant: three"]
    session = [chat(*turns[: 2 * t], id=f"t{t}", turn=t) for t in (1, 2, 3)]
    out = made(tmp_path, Sft(name="s"), screened_of(*session, undesired={"t2": ["disliked"]}))
    rows = out.scan().collect()
    assert [c[0]["content"] for c in rows["completion"].to_list()] == ["one", "three"]
    assert rows["split"].n_unique() == 1  # one conversation, one side
    assert out.scan("rejected").collect().rows() == [("t2", ["t2"], ["disliked"], None)]


def test_row_35_two_sets_of_one_pool_have_their_own_mix(tmp_path):
    rows = screened_of(
        *chats(20, app="billing"),
        *[
            c.with_columns(id="t" + c["id"], prompt_digest="t" + c["prompt_digest"], app=pl.lit("tech"))
            for c in chats(20)
        ],
    )
    said = labels_of(*[label(i, thumb=1) for i in rows["id"]])
    one = made(tmp_path, Sft(name="s", examples=10, mix={"task": {"billing": 0.8, "tech": 0.2}}), rows, labels=said)
    two = made(tmp_path, Kto(name="k", examples=10, mix={"task": {"billing": 0.3, "tech": 0.7}}), rows, labels=said)
    assert [c["made"] for c in one.notes["cells"]] == [8, 2]
    assert [c["made"] for c in two.notes["cells"]] == [3, 7]
    assert set(one.scan().collect()["cell"]) == {"task=billing", "task=tech"}


def test_one_more_day_makes_few_parts_of_a_set(tmp_path):
    """Twenty days, and a set of a third of them: the next day makes its own part and those of few others anew."""

    def day(d):
        when = NOON + dt.timedelta(days=d)
        return [
            chat(f"user: q{d} {i}", f"assistant: r{d} {i}", id=f"{i:02}-{d:02}", conversation_id=f"c{d}-{i}",
                 user=f"u{i % 7 * (d + 1) % 40}", occurred_at=when) for i in range(30)
        ]  # fmt: skip

    store = Store(tmp_path / "snapshots")

    def build(days):
        frames = [screened_of(*day(d)) for d in range(days)]
        none = pl.DataFrame(schema=REJECTED)
        screened = snapshot(store, "screened", *[{"rows": f, "rejected": none} for f in frames])
        curated = snapshot(store, "curated", *[{"rows": pool_of(f), "rejected": none} for f in frames])
        labels = snapshot(store, "labels", {"rows": labels_of(), "comparisons": comparisons_of()})
        return store.publish(assemble(Sft(name="s", examples=200), Inputs(curated, screened, labels), 1, (), SECRET))

    before, after = build(20), build(21)
    assert (before.count(), after.count()) == (200, 200)
    assert "day20" in after.made
    assert len(after.made) <= 6


def test_a_short_cell_says_how_many_rows_are_missing(tmp_path):
    rows = screened_of(*chats(5, app="billing"))
    out = made(tmp_path, Sft(name="s", examples=20, mix={"app": {"billing": 0.5, "tech": 0.5}}), rows)
    assert (out.notes["wanted"], out.notes["made"], out.notes["missing"]) == (20, 5, 15)
    assert out.notes["short"] == {"app=billing": 5, "app=tech": 10}


def test_the_task_is_the_app_else_the_name_of_the_prompt(tmp_path):
    rows = screened_of(*chats(2, app=None, prompt_name="triage"))
    assert made(tmp_path, Sft(name="s", mix={"task": {"triage": 1.0}}), rows).count() == 2


def test_a_label_can_be_an_axis(tmp_path):
    said = labels_of(label("r000", thumb=1), label("r001", thumb=-1))
    out = made(tmp_path, Kto(name="k", mix={"thumb": {"1": 0.5, "-1": 0.5}}), screened_of(*chats(3)), labels=said)
    assert set(out.scan().collect()["cell"]) == {"thumb=1", "thumb=-1"}


def test_row_145_a_thumb_on_a_removed_copy_survives_on_the_row_kept(tmp_path):
    said = labels_of(label("r001", thumb=1, thumbs_up=1))
    out = made(tmp_path, Kto(name="k"), screened_of(*chats(2)), labels=said, instead={"r001": "r000"})
    assert out.scan().select("id", "label", "feedback").collect().rows() == [("r000", True, ["fb:r001"])]


def test_feedback_on_a_row_that_only_shares_passages_is_not_said_of_the_row_kept(tmp_path):
    no = pl.DataFrame(
        {"id": ["copy", "other"], "reasons": [["near_duplicate"], ["shared_passages"]], "instead": ["kept", "kept"]}
    )
    curated = snapshot(Store(tmp_path), "curated", {"rows": no.select("id").clear(), "rejected": no})
    assert kept_instead(curated).rows() == [("copy", "kept")]


def test_row_145_a_correction_and_a_comparison_follow_the_row_kept(tmp_path):
    rows = screened_of(*[chat("user: q", f"assistant: {r}", id=r) for r in ("kept", "copy", "copy2", "other")])
    said = comparisons_of(
        comparison("choice", "other", "copy2"), comparison("choice", "copy", "kept", feedback_id="same")
    )
    corrected = labels_of(label("copy2", correction="best", corrected_by="edit"))
    given = {"instead": {"copy": "kept", "copy2": "copy"}, "comparisons": said, "labels": corrected}
    out = made(tmp_path / "p", Preference(name="p"), rows, **given)
    assert out.scan().select("parents").collect().to_series().to_list() == [["other", "kept"]]
    assert out.notes["rejected"] == {"NO_CONTRAST": 1}
    sft = made(tmp_path / "s", Sft(name="s"), rows, **given).scan().collect()
    assert dict(zip(sft["id"], [c[0]["content"] for c in sft["completion"].to_list()], strict=True)) == {
        "kept": "best",
        "other": "other",
    }


@pytest.mark.parametrize(
    ("copies", "thumb", "contradicted"),
    [
        ([{"thumb": 1}, {"thumb": 1}], 1, False),
        ([{"thumb": 1}, {"thumb": -1}], None, True),
        ([{"thumb": 1}, {}], 1, False),
        ([{"thumb": 1}, {"contradicted": True}], None, True),
        ([{"thumb": 1, "contradicted": True}], 1, True),  # a policy settled it
        ([{}, {}], None, False),
    ],
)
def test_thumbs_of_copies_agree_or_contradict(copies, thumb, contradicted):
    ids = [f"c{i}" for i in range(len(copies))]
    instead = pl.DataFrame(
        {"id": ids[1:], "kept": ["c0"] * (len(ids) - 1)}, schema={"id": pl.String, "kept": pl.String}
    )
    said = labels_of(*[label(i, **c) for i, c in zip(ids, copies, strict=True)])
    merged = remap_labels(said.lazy(), comparisons_of().lazy(), instead).collect()
    assert merged.select("id", "thumb", "contradicted").rows() == [("c0", thumb, contradicted)]


def test_labels_of_copies_add_up_and_the_latest_correction_counts():
    rating = [{"rater": "x", "value": v, "feedback_id": f"f{v}"} for v in (2.0, 5.0)]
    said = labels_of(
        label("a", correction="later", corrected_by="edit", ratings=rating[:1], thumbs_up=1, implicit=1.0, comments=1),
        label(
            "b",
            correction="sooner",
            corrected_by="correction",
            ratings=rating[1:],
            thumbs_up=2,
            implicit=-3.0,
            copied=True,
        ),
    )
    when = comparisons_of(
        comparison("edit", None, "a", correction="later", occurred_at=NOON + dt.timedelta(hours=1)),
        comparison("correction", None, "b", correction="sooner"),
    )
    instead = pl.DataFrame({"id": ["b"], "kept": ["a"]})
    (row,) = remap_labels(said.lazy(), when.lazy(), instead).collect().to_dicts()
    assert (row["correction"], row["corrected_by"], row["rating"]) == ("later", "edit", 3.5)
    assert ([r["value"] for r in row["ratings"]], row["feedback"]) == ([2.0, 5.0], ["fb:a", "fb:b"])
    assert (row["thumbs_up"], row["implicit"], row["comments"], row["copied"]) == (3, -2.0, 1, True)


def test_labels_without_copies_stay_as_they_are():
    said = labels_of(
        label("a", thumb=1, rating=4.0, ratings=[{"rater": "x", "value": 4.0, "feedback_id": "f"}]),
        label("b", correction="c", corrected_by="edit"),
    )
    merged = remap_labels(
        said.lazy(), comparisons_of().lazy(), pl.DataFrame(schema={"id": pl.String, "kept": pl.String})
    )
    assert merged.collect().sort("id").equals(said)


def test_row_146_a_duplicate_cluster_never_straddles(tmp_path):
    near = {f"r{i:03}": f"r{i - i % 2:03}" for i in range(60)}
    out = made(tmp_path, Sft(name="s"), screened_of(*chats(60)), near=near).scan().collect()
    sides = out.with_columns(cluster=pl.col("id").replace(near)).group_by("cluster").agg(pl.col("split").n_unique())
    assert sides["split"].max() == 1
    assert (out["split"] == "validation").sum() == 6


def test_personal_data_in_a_correction_is_redacted(tmp_path):
    said = comparisons_of(comparison("edit", None, "r000", correction="Write to ann@example.com."))
    corrected = labels_of(label("r000", correction="Write to ann@example.com.", corrected_by="edit"))
    for wanted in (Preference(name="p"), Sft(name="s")):
        rows = made(
            tmp_path / wanted.name,
            wanted,
            screened_of(*chats(1)),
            edits=[RedactEmail()],
            comparisons=said,
            labels=corrected,
        )
        (text,) = [c[0]["content"] for c in rows.scan().collect()["completion"].to_list()]
        assert text.startswith("Write to [EMAIL_")
        assert "example.com" not in str(rows.scan().collect().to_dicts()) + str(
            rows.scan("rejected").collect().to_dicts()
        )


def test_an_empty_pool_gives_an_empty_set(tmp_path):
    for wanted in (Sft(name="s"), Preference(name="p"), Kto(name="k"), Reward(name="r")):
        out = made(tmp_path / wanted.name, wanted, screened_of(*chats(1)).clear())
        assert (out.count(), out.notes["made"], out.schemas["rejected"]) == (0, 0, REJECTED_EXAMPLES)


def test_bounds_and_formats_do_not_make_another_set(tmp_path):
    rows = screened_of(*chats(3))
    one = made(tmp_path, Sft(name="s", export=("trl",)), rows)
    two = made(tmp_path, Sft(name="s", export=("openai",), check={"no_split_leaks": {"max": 1}}), rows)
    assert (one.key, one.version) == (two.key, two.version)
    assert two.made == ()
    assert made(tmp_path, Sft(name="s"), rows, seed=2).key != one.key


IDS = [f"r{i:03}" for i in range(8)]


@settings(max_examples=8, deadline=None)
@given(
    pairs=st.lists(
        st.tuples(st.sampled_from(["choice", "regeneration"]), st.sampled_from(IDS), st.sampled_from(IDS)), max_size=12
    ),
    undesired=st.dictionaries(st.sampled_from(IDS), st.just(["refusal"])),
    examples=st.none() | st.integers(1, 6),
    seed=st.integers(0, 3),
)
def test_law_every_row_of_the_pool_is_used_or_has_reasons(tmp_path_factory, pairs, undesired, examples, seed):
    """For every kind; and rows in another order give the same bytes."""
    chats_here = [
        chat("user: q", f"assistant: {i[-1]}", id=i, conversation_id=i, user=i, app="ab"[int(i[-1]) % 2]) for i in IDS
    ]
    said = [comparison(s, c, r, feedback_id=f"f{n}") for n, (s, c, r) in enumerate(pairs)]
    labels = [
        label(i, thumb=1 if n % 2 else -1, ratings=[{"rater": "x", "value": 1.0 + n % 5, "feedback_id": i}])
        for n, i in enumerate(IDS[:6])
    ]
    mix = {"app": {"a": 0.5, "b": 0.5}} if seed % 2 else {}
    chosen = [None, Top(score="rating", n=2), Diverse(by=("app",), near=False, keep=0.5)][(examples or 0) % 3]
    for kind in (Sft, Preference, Kto, Reward):
        folder = tmp_path_factory.mktemp("home")
        wanted = kind(name="w", mix=mix, examples=examples, select=chosen)
        one = made(
            folder / "1",
            wanted,
            screened_of(*chats_here, undesired=undesired),
            seed=seed,
            labels=labels_of(*labels),
            comparisons=comparisons_of(*said),
        )
        account("w", pl.LazyFrame({"id": IDS}), one.scan(), one.scan("rejected"))
        turned = screened_of(*reversed(chats_here), undesired=undesired)
        two = made(
            folder / "2",
            wanted,
            turned,
            seed=seed,
            labels=labels_of(*reversed(labels)),
            comparisons=comparisons_of(*reversed(said)),
        )
        assert one.version == two.version
        rows = one.scan().collect()
        assert rows["id"].to_list() == sorted(set(rows["id"]))


def test_two_rows_corrected_to_the_same_reply_are_one_example(tmp_path):
    """Other replies to one question, both corrected to the same answer: the set says it once, and says why not twice."""
    asked = [
        chat("user: 2+2?", f"assistant: {wrong}", id=f"r{wrong}", conversation_id=f"c{wrong}") for wrong in (3, 5, 6)
    ]
    said = labels_of(
        label("r3", correction="It is 4.", corrected_by="edit"),
        label("r5", correction=" It is  4.", corrected_by="edit"),
        label("r6", correction="Four.", corrected_by="edit"),
    )
    out = made(tmp_path, Sft(name="s"), screened_of(*asked), labels=said)
    assert out.scan().collect()["id"].to_list() == ["r3", "r6"]
    assert out.scan("rejected").collect().select("id", "reasons").rows() == [("r5", ["REPEATED_EXAMPLE"])]


def lengths(n, start=1):
    """Chats whose latency, standing for a score, is their number."""
    return [c.with_columns(latency_ms=pl.lit(float(i))) for i, c in enumerate(chats(n), start)]


def test_row_156_a_pruned_row_is_rejected_and_its_score_is_in_the_table(tmp_path):
    prune = Prune(score="latency_ms", higher="harder", side="hard", n=2)
    out = made(tmp_path, Sft(name="s", select=prune), screened_of(*lengths(5)))
    assert out.scan().collect()["id"].to_list() == ["r003", "r004"]
    assert out.scan("rejected").select("id", "reasons").collect().rows() == [(f"r00{i}", ["pruned"]) for i in range(3)]
    listed = out.scan("selection").collect()
    assert listed.schema == SELECTION
    assert listed.select("id", "kept", "score").rows()[:4] == [
        ("r000", False, 1.0),
        ("r001", False, 2.0),
        ("r002", False, 3.0),
        ("r003", True, 4.0),
    ]
    assert (out.notes["selection"]["side"], out.notes["rejected"]) == ("hard", {"pruned": 3})


def test_row_24_the_mix_takes_the_best_of_each_cell(tmp_path):
    rows = pl.concat(
        [
            pl.concat(lengths(6))
            .with_columns(app=pl.Series(["a", "b"] * 3))
            .with_columns(undesired=pl.lit([], pl.List(pl.String)))
        ]
    )
    wanted = Sft(name="s", examples=4, mix={"app": {"a": 0.5, "b": 0.5}}, select=Top(score="latency_ms"))
    out = made(tmp_path, wanted, rows)
    assert out.scan().collect()["id"].to_list() == ["r002", "r003", "r004", "r005"]
    assert set(out.scan("rejected").collect()["reasons"].explode()) == {"beyond_the_mix"}


def test_row_155_the_weights_are_those_of_the_examples(tmp_path):
    target = Importance(target={"app": {"a": 0.5, "b": 0.5}})
    rows = [c.with_columns(app=pl.lit("a" if i else "b")) for i, c in enumerate(chats(10))]
    out = made(tmp_path, Sft(name="s", select=target), screened_of(*rows)).scan().collect()
    assert out["weight"].to_list() == [5.0] + [pytest.approx(0.5555, abs=1e-4)] * 9


def test_a_label_and_the_score_of_an_example_can_be_selected_by(tmp_path):
    said = labels_of(
        *[
            label(f"r00{i}", rating=float(i), ratings=[{"rater": "x", "value": 1.0 + i, "feedback_id": "f"}])
            for i in range(4)
        ]
    )
    by_label = made(tmp_path / "l", Sft(name="s", select=Top(score="rating", n=1)), screened_of(*chats(4)), labels=said)
    by_score = made(
        tmp_path / "s", Reward(name="r", select=Top(score="raw_score", n=1)), screened_of(*chats(4)), labels=said
    )
    assert by_label.scan().collect()["id"].to_list() == by_score.scan().collect()["id"].to_list() == ["r003"]


def test_look_alikes_are_told_by_their_sketches(tmp_path):
    rows, store = screened_of(*chats(6)), Store(tmp_path / "snapshots")
    found = published(store, rows)
    keys = pl.Series([[i // 3, 10 + i] for i in range(6)], dtype=pl.List(pl.UInt64))
    sketch = pl.DataFrame({"id": rows["id"], "keys": keys})
    measured = snapshot(store, "measurements", {"rows": rows.select("id"), "near_duplicate": sketch})
    inputs = Inputs(**found, measurements=measured)
    out = store.publish(assemble(Sft(name="s", select=Diverse(n=2)), inputs, 1, (), SECRET))
    assert len({int(i[1:]) // 3 for i in out.scan().collect()["id"]}) == 2
    assert measured.ref in out.derivation.inputs
    assert set(out.notes["rejected"]) == {"alike"}
