"""Proofs of loss masks, kept beside their snapshot."""

from flywheel.formats import mask_proof
from flywheel.sets.sft import Sft
from flywheel.stages.assemble import Inputs, assemble
from flywheel.storage import proofs
from flywheel.storage.proofs import proof_of
from flywheel.storage.snapshots import Store
from tests.build import chat
from tests.pools import published, screened_of


def candidate_of(tmp_path, wanted):
    store = Store(tmp_path / "snapshots")
    rows = [
        chat(f"user: q{i}", f"assistant: r{i}", id=f"r{i}", conversation_id=f"c{i}", user=f"u{i}") for i in range(5)
    ]
    found = published(store, screened_of(*rows))
    return store, store.publish(assemble(wanted, Inputs(**found), 1, (), b"k" * 32))


def test_a_proof_is_made_once_for_a_candidate_and_a_format(tmp_path, monkeypatch):
    wanted = Sft(name="s", export=("trl",), template="chatml")
    store, candidate = candidate_of(tmp_path, wanted)
    first = proof_of(store.root, wanted, candidate)
    assert (first.examples, dict(first.faults)) == (5, {})
    made = []
    monkeypatch.setattr(proofs, "prove", lambda *given: made.append(given) or mask_proof.prove(*given))
    assert proof_of(store.root, wanted, candidate) == first
    assert not made
    other = wanted.model_copy(update={"template": "llama3"})
    assert proof_of(store.root, other, candidate).tokens != first.tokens
    assert len(made) == 1
    for spoiled in (store.root / "s" / "proofs").iterdir():
        spoiled.write_bytes(b"{}")
    assert proof_of(store.root, wanted, candidate) == first


def test_a_set_without_a_template_has_none_and_one_that_cannot_be_used_is_a_fault_of_every_example(tmp_path):
    wanted = Sft(name="s", export=("trl",))
    store, candidate = candidate_of(tmp_path, wanted)
    assert proof_of(store.root, wanted, candidate) is None
    lost = proof_of(store.root, wanted.model_copy(update={"template": "chatml", "tokenizer": "gone"}), candidate)
    assert (lost.examples, dict(lost.faults)) == (5, {"UNUSABLE": 5})
    assert "there is no tokenizer at gone" in lost.shown["UNUSABLE"][0]
