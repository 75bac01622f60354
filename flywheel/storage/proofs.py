"""Proofs of loss masks, kept beside the snapshot they are of: the check and the release of a set need the same one."""

from pathlib import Path

import orjson

from flywheel.errors import FlywheelError
from flywheel.formats.mask_proof import UNUSABLE, Proof, prove
from flywheel.kinds import SetKind
from flywheel.records import canonical
from flywheel.storage.snapshots import Snapshot, replace_synced


def proof_of(store: Path, wanted: SetKind, candidate: Snapshot) -> Proof | None:
    """The proof of a candidate's mask under the format of its set; None where the recipe names none.

    A template or tokenizer that cannot be used is a fault of every example, with the reason: other sets go on.
    """
    try:
        if (read := wanted.chat_format()) is None:
            return None
    except FlywheelError as e:
        n = max(1, candidate.count())
        proof = Proof(examples=n)
        proof.faults[UNUSABLE], proof.shown[UNUSABLE] = n, [str(e)]
        return proof
    kept = store / candidate.name / "proofs" / f"{candidate.version}-{read.digest}.json"
    try:
        return Proof.of(orjson.loads(kept.read_bytes()))
    except (OSError, ValueError, TypeError, KeyError):
        pass
    proof = prove(candidate, read)
    kept.parent.mkdir(parents=True, exist_ok=True)
    replace_synced(kept, canonical(proof.told()))
    return proof
