"""What formats do not carry is told beside the examples, and read from there again."""

from flywheel.formats.not_carried import NotCarried, read_from, told_of


def test_what_formats_said_of_each_example():
    every = {"trl": NotCarried({"a": "why: so"}, {"b": ["name", "extra"]}), "openai": NotCarried({}, {"a": ["x"]})}
    told = told_of(every).sort("id")
    assert told.to_dicts() == [
        {"id": "a", "refused": ["trl: why: so"], "lost": ["openai: x"]},
        {"id": "b", "refused": None, "lost": ["trl: name", "trl: extra"]},
    ]
    assert {use: read_from(told, use) for use in every} == every
