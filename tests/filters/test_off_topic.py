import polars as pl

from flywheel.filters.off_topic import OffTopic


def test_a_row_far_from_every_topic_is_rejected_and_the_unjudged_stay():
    frame = pl.DataFrame({"topic_relevance": [0.0, 0.09, 0.1, 0.8, None]})
    assert frame.select(OffTopic().reject()).to_series().to_list() == [True, True, False, False, None]
    assert frame.select(OffTopic(min_relevance=0.9).reject()).to_series().to_list()[:4] == [True] * 4
