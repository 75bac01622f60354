"""The scores of a version in the card that lies beside its files: all else of a release stands as it was written."""

import json
from pathlib import Path

import orjson

from flywheel.formats.card import with_results
from flywheel.home import Home
from flywheel.storage.results import results, table
from flywheel.storage.snapshots import file_digest, replace_synced


def renew(home: Home, set_name: str, version: str) -> None:
    """Write the section of results of a released version's card anew, and the card's digest into the manifest.

    A version that is not on disk has no card. A kill between the two leaves a card that `flywheel verify` names; telling any
    result of the version again mends it.
    """
    folder = home.exports / set_name / version
    manifest, card = folder / "manifest.json", folder / "README.md"
    if not (manifest.is_file() and card.is_file()):
        return
    text = with_results(card.read_text(encoding="utf-8"), table(results(home, set_name, version)))
    replace_synced(card, text.encode())
    _note(manifest, card)


def _note(manifest: Path, card: Path) -> None:
    told = json.loads(manifest.read_bytes())
    told["files"][card.name] = {"sha256": file_digest(card)}
    replace_synced(manifest, orjson.dumps(told, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2) + b"\n")
