"""The other tools, each in an environment of its own, made from the package index with exact versions."""

import subprocess
import sys
from pathlib import Path

PACKAGES = {
    "rensa": ["rensa==0.5.0", "numpy==2.4.6", "polars==2.1.0"],
    "datasketch": ["datasketch==2.0.0", "numpy==2.4.6", "scipy==1.17.1"],
    "text-dedup": [
        "click==8.5.1", "click-option-group==0.5.9", "datasets==5.2.0", "ftfy==6.3.1", "numpy==2.4.6", "psutil==7.2.2",
        "regex==2026.11.19", "rich==15.0.0", "scipy==1.17.1", "tqdm==4.70.1", "xxhash==4.1.0",
    ],
    "datatrove": [
        "datatrove==0.10.1", "nltk", "orjson==3.13.0", "regex==2026.11.19", "spacy==3.8.18", "tokenizers",
        "xxhash==3.6.0",  # hashes text; 4 wants bytes
    ],
    "data-juicer": ["py-data-juicer==1.6.1", "aiohttp==3.14.5", "ftfy==6.3.1", "selectolax==1.0.2"],
    "reference": [
        "eldc==0.4.0", "msgspec==0.22.0", "numba==0.68.1", "numpy==2.4.6", "orjson==3.13.0", "polars==2.1.0",
        "selectolax==1.0.2",
    ],
}  # fmt: skip
"""Environment -> what is installed into it, with what that needs."""
BARE = {"text-dedup": ["text-dedup==0.4.0"]}
"""Environment -> what is installed without what it says it needs: a Spark, and more that is not used here."""


def python_of(name: str, work: Path) -> Path:
    """The interpreter of an environment, which is made where it is not there. Raises `RuntimeError` where that fails."""
    place = work / "environments" / name
    wanted = "\n".join([*PACKAGES[name], *BARE.get(name, ())])
    stamp = place / "installed.txt"
    if not stamp.exists() or stamp.read_text() != wanted:
        _done([sys.executable, "-m", "venv", "--clear", str(place)])
        install = [str(place / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _done([*install, *PACKAGES[name]])
        if name in BARE:
            _done([*install, "--no-deps", *BARE[name]])
        stamp.write_text(wanted)
    return place / "bin" / "python"


def _done(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[:6])} … failed: {done.stderr[-1500:]}")
