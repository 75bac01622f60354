import polars as pl

from flywheel.signals.topic_cluster import BEYOND, TopicCluster
from tests.build import chat, rows

REFUND = [
    "How do I get a refund on my card?",
    "refund my card payment",
    "My card refund has not come",
    "카드 환불은 언제 되나요",
]
ROUTER = ["reset the router", "The router loses wifi", "my wifi router blinks", "Which router has the best wifi"]
KOREAN = [
    "비밀번호를 잊어버렸어요",
    "비밀번호 변경은 어디서 하나요",
    "로그인 비밀번호가 틀려요",
    "비밀번호를 다시 만들고 싶어요",
]


def corpus(times=4):
    said = [f"{text} {n}" for n in range(times) for text in REFUND[:3] + ROUTER + KOREAN]
    return rows(
        *[
            chat(f"user: {text}", "assistant: ok", id=f"s:{n:03d}")
            for n, text in enumerate([*said, "zebra xylophone", "a 12"])
        ]
    )


def topics_of(frame, **parameters):
    signal = TopicCluster(**parameters)
    return signal.relate(signal.sketch(frame.lazy()).collect().lazy()).collect()


def test_row_28_topics_are_found_in_the_data_and_named_by_their_words():
    told = corpus().select("id", said=pl.col("messages").list.first().struct.field("content"))
    told = told.join(topics_of(corpus(), min_rows=8), on="id")
    for word in ("refund", "router", "비밀번호"):
        named = told.filter(pl.col("said").str.contains(word))["topic_cluster"].unique().to_list()
        assert len(named) == 1
        assert word in named[0]
    assert told.filter(said="zebra xylophone")["topic_cluster"].to_list() == [BEYOND]
    assert told.filter(said="a 12")["topic_cluster"].to_list() == [None]


def test_no_more_topics_than_asked_for():
    assert len(set(topics_of(corpus(), min_rows=8, topics=1)["topic_cluster"].drop_nulls()) - {BEYOND}) == 1


def test_a_day_more_of_the_same_moves_nobody_and_the_order_says_nothing():
    one = topics_of(corpus(4), min_rows=8)
    two = topics_of(corpus(8), min_rows=8).rename({"topic_cluster": "later"})
    pairs = one.join(two.filter(pl.col("id").str.len_chars() == 5), on="id", how="inner")
    grouped = pairs.filter(pl.col("id") < "s:044").select("topic_cluster", "later").unique()
    assert grouped["topic_cluster"].n_unique() == 3
    assert topics_of(corpus(4).sample(fraction=1.0, shuffle=True, seed=7), min_rows=8).equals(one)


def test_what_relate_reads_alone_measures_nothing_again():
    assert TopicCluster(topics=3).sketch_step() == TopicCluster(topics=9).sketch_step()


def test_what_one_person_says_names_no_topic():
    given = rows(
        *[chat(f"user: amelia amelia router reset {n}", "assistant: ok", id=f"s:{n:03d}", user="u1") for n in range(9)],
        *[chat("user: the router must reset", "assistant: ok", id=f"t:{n:03d}", user=f"u{n}") for n in range(2, 11)],
        *[chat("user: hi, what's a good film", "assistant: ok", id=f"v:{n:03d}", user=f"u{n}") for n in range(2, 40)],
    )
    named = topics_of(given, min_rows=5, max_share=1.0)["topic_cluster"].unique().to_list()
    assert any("router" in name for name in named)
    assert not [name for name in named if "amelia" in name or "what" in name or "hi" in name.split(", ")]
