"""Embeddings: the same for a text whatever it is embedded with, asked for once, and never told to anybody else."""

import importlib.util
import logging
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flywheel.errors import EmbeddingsFailed
from flywheel.vectors import embeddings
from flywheel.vectors.embeddings import CALIBRATED, MODELS, Embedder
from tests.embedding_server import EmbeddingServer, serving

THERE = [pytest.param(m, marks=pytest.mark.skipif(bool(why := Embedder(m).absent()), reason=str(why))) for m in MODELS]
TEXTS = [
    "How do I reset my router?",
    "라우터를 초기화하는 방법을 알려 주세요",
    "",
    "def f(x):\n    return x + 1",
    "a",
    "東京の天気は?",
]


@pytest.fixture
def server() -> Iterator[EmbeddingServer]:
    with serving() as server:
        yield server


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No wait between tries."""
    monkeypatch.setattr("openai._base_client.BaseClient._calculate_retry_timeout", lambda *_, **__: 0.0)


# --- models on this machine


@pytest.mark.parametrize("model", THERE)
def test_a_vector_does_not_depend_on_its_company(model: str, tmp_path: Path) -> None:
    embedder = Embedder(model)
    whole = embedder.embed(TEXTS)
    assert np.array_equal(whole[::-1], embedder.embed(TEXTS[::-1]))
    for text, vector in zip(TEXTS, whole, strict=True):
        alone = embedder.embed([text])[0]
        assert np.array_equal(vector, alone) or not (vector.any() or alone.any())
    assert not whole[TEXTS.index("")].any()
    cached = Embedder(model, folder=tmp_path)
    assert np.array_equal(whole, cached.embed(TEXTS))
    assert np.array_equal(whole, cached.embed(TEXTS))
    lengths = np.linalg.norm(whole, axis=1)
    assert ((np.abs(lengths - 1) < 1e-3) | (lengths == 0)).all()


@pytest.mark.parametrize("model", THERE)
def test_a_light_edit_is_the_same_and_another_text_is_not(model: str) -> None:
    a, b, c = Embedder(model).embed(
        [
            "Could you please tell me how I can reset the password of my online banking account?",
            "Could you tell me how I can reset the password of my online banking account",
            "Write a short poem about the sea in autumn, in the style of a haiku.",
        ]
    )
    assert a @ b >= CALIBRATED[model].same
    assert a @ c < CALIBRATED[model].paraphrase


@pytest.mark.parametrize("model", THERE)
def test_unrelated_korean_texts_are_not_the_same(model: str) -> None:
    """Nor do they seem so to a model that does not read Korean: it gives no vector."""
    a, b = Embedder(model).embed(
        ["주말에 부산으로 가는 기차표를 예매해 주세요", "김치찌개를 맛있게 끓이는 방법이 궁금합니다"]
    )
    assert a @ b < CALIBRATED[model].paraphrase


def test_the_korean_words_that_matter_count() -> None:
    a, b = Embedder("hashed").embed(
        ["비밀번호를 어떻게 재설정하나요? 앱에서 해야 하나요", "비밀번호를 어떻게 재설정하나요 앱에서 해야 하나요?"]
    )
    assert a @ b > 0.9


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(max_size=40), min_size=1, max_size=8))
def test_hashed_vectors_are_those_of_single_texts(texts: list[str]) -> None:
    texts = [t.encode("utf-8", "replace").decode() for t in texts]
    alone = np.vstack([embeddings.hashed([t]) for t in texts])
    assert np.array_equal(embeddings.hashed(texts), alone)


def test_a_missing_package_is_named_with_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert Embedder("hashed").absent() is None
    for model in ("minilm", "e5"):
        why = Embedder(model).absent()
        assert why
        assert f'the model "{model}" needs packages that are not installed' in why
        assert why.endswith(embeddings.CURE)


# --- an endpoint


def test_a_text_is_asked_for_once_and_a_second_run_asks_nothing(server: EmbeddingServer, tmp_path: Path) -> None:
    embedder = Embedder("any", server.endpoint, folder=tmp_path)
    texts = [f"text {n % 150}" for n in range(300)]
    first = embedder.embed(texts)
    assert [len(a) for a in server.asked] == [64, 64, 22]
    assert sorted(server.texts) == sorted(set(texts))
    assert np.array_equal(first, embedder.embed(texts))
    assert len(server.asked) == 3
    assert np.array_equal(first, Embedder("hashed").embed(texts))
    Embedder("another", server.endpoint, folder=tmp_path).embed(texts[:1])
    assert len(server.asked) == 4, "another model's vectors are others"


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_passing_failure_is_tried_again_within_a_bound(server: EmbeddingServer, tmp_path: Path, status: int) -> None:
    server.status, server.fail = status, embeddings.TRIES - 1
    assert Embedder("any", server.endpoint).embed(["hello"]).shape == (1, embeddings.DIMENSIONS)
    assert len(server.asked) == embeddings.TRIES
    server.fail = 1000
    with pytest.raises(EmbeddingsFailed, match=rf"answered {status}\. It was tried {embeddings.TRIES} times"):
        Embedder("any", server.endpoint).embed(["hello"])
    assert len(server.asked) == 2 * embeddings.TRIES


@pytest.mark.usefixtures("quick")
def test_what_was_embedded_before_a_failure_is_kept(server: EmbeddingServer, tmp_path: Path) -> None:
    embedder = Embedder("any", server.endpoint, folder=tmp_path)
    embedder.embed(["a", "b"])
    server.fail = 1000
    with pytest.raises(EmbeddingsFailed):
        embedder.embed(["a", "b", "c"])
    server.fail = 0
    embedder.embed(["a", "b", "c"])
    assert server.asked[-1] == ["c"]


@pytest.mark.usefixtures("quick")
def test_no_text_is_in_a_log_or_an_error(server: EmbeddingServer, caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("openai").setLevel(logging.DEBUG)
    caplog.set_level(logging.DEBUG)
    embedder = Embedder("any", server.endpoint)
    embedder.embed(["my secret text"])
    server.status, server.fail = 400, 1000
    with pytest.raises(EmbeddingsFailed) as failed:
        embedder.embed(["my secret text"])
    assert "secret text" not in str(failed.value)
    assert failed.value.__cause__ is None
    assert "secret text" not in caplog.text


@pytest.mark.parametrize(
    ("status", "key", "cure"),
    [
        (401, None, 'Name its key: key = "VARIABLE".'),
        (401, "SOME_KEY", "Look at the key in SOME_KEY."),
        (404, None, "Mend `endpoint` (it ends in /v1) or `model` in the recipe."),
    ],
)
def test_an_endpoint_that_refuses_is_absent_with_the_cure(
    server: EmbeddingServer, monkeypatch: pytest.MonkeyPatch, status: int, key: str | None, cure: str
) -> None:
    monkeypatch.setenv("SOME_KEY", "k-1")
    server.status, server.fail = status, 1000
    why = Embedder("any", server.endpoint, key).absent()
    assert why
    assert why.endswith(cure)
    assert "k-1" not in why


def test_the_key_comes_from_the_environment(server: EmbeddingServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOME_KEY", raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", "not-yours")
    embedder = Embedder("any", server.endpoint, "SOME_KEY")
    why = embedder.absent()
    assert why
    assert why.endswith("the environment variable SOME_KEY is not set. Set it.")
    monkeypatch.setenv("SOME_KEY", "k-1")
    assert embedder.absent() is None
    Embedder("any", server.endpoint).embed(["hello"])
    assert server.keys == ["Bearer k-1", "Bearer none"]
    assert server.asked == [["flywheel"], ["hello"]]


def test_an_endpoint_nobody_serves_is_absent() -> None:
    with serving() as gone:
        pass
    why = Embedder("any", gone.endpoint).absent()
    assert why
    assert why.endswith("did not answer at all. Start it, or mend `endpoint` in the recipe.")


@pytest.mark.parametrize("body", [{}, {"data": []}, {"data": [{"index": 0, "embedding": ["x"]}]}, {"data": "none"}])
def test_an_answer_that_is_none_is_said_to_be_none(server: EmbeddingServer, body: dict[str, object]) -> None:
    server.body = body
    with pytest.raises(EmbeddingsFailed, match=r"Is it OpenAI-compatible\?"):
        Embedder("any", server.endpoint).embed(["hello"])


def test_a_proxy_is_no_way_to_this_machine(server: EmbeddingServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    assert Embedder("any", server.endpoint).embed(["hello"]).shape == (1, embeddings.DIMENSIONS)


# --- the cache


def test_a_spoiled_cache_is_made_anew(server: EmbeddingServer, tmp_path: Path) -> None:
    (tmp_path / "embeddings.db").write_bytes(b"no database at all" * 100)
    embedder = Embedder("any", server.endpoint, folder=tmp_path)
    embedder.embed(["hello"])
    embedder.embed(["hello"])
    assert len(server.asked) == 1


def test_the_cache_holds_no_text(server: EmbeddingServer, tmp_path: Path) -> None:
    Embedder("any", server.endpoint, folder=tmp_path).embed(["my secret text"])
    assert b"secret" not in (tmp_path / "embeddings.db").read_bytes()


def test_vectors_of_two_sizes_under_one_name_are_refused(server: EmbeddingServer, tmp_path: Path) -> None:
    embedder = Embedder("any", server.endpoint, folder=tmp_path)
    embedder.embed(["hello", "you"])
    with sqlite3.connect(tmp_path / "embeddings.db") as db:
        db.execute("UPDATE vectors SET vector = ? WHERE text = (SELECT min(text) FROM vectors)", (b"\0" * 20,))
    with pytest.raises(EmbeddingsFailed, match="expected always as many"):
        embedder.embed(["hello", "you"])


def test_nothing_to_embed() -> None:
    assert len(Embedder().embed([])) == 0
