"""A command in a process of its own that something befalls at a step."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
CHILD = """
import os, signal, sys, time
import {module} as place
whole = place.{name}
seen = 0
def now(*args, **kwargs):
    global seen
    seen += 1
    made = whole(*args, **kwargs) if {after} else None
    if seen == {call}:
        {then}
    return made if {after} else whole(*args, **kwargs)
place.{name} = now
from flywheel.__main__ import run
sys.exit(run(sys.argv[1:]))
"""
DIE = "os.kill(os.getpid(), signal.SIGKILL)"


def befallen(
    arguments: list[object], module: str, name: str, call: int = 1, after: bool = False, then: str = DIE
) -> subprocess.Popen:
    """Run `then` before (or after) the so-manieth call of a function, of a command with these arguments."""
    code = CHILD.format(module=module, name=name, call=call, after=after, then=then)
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
