"""Worker processes that make parts side by side: one for each core, started when there is enough to do, ended with us.

A worker is this interpreter running this module. Tasks and answers are pickles over its standard input and output, so a worker ends
when its parent does, however that ends. What is made does not depend on who makes it.
"""

import atexit
import ctypes
import os
import pickle
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import cache
from queue import SimpleQueue
from typing import IO, Any, BinaryIO, TypeVar

from flywheel.errors import WorkerEnded

Task = Callable[[], Any]
T = TypeVar("T")

ONE_THREAD = {"POLARS_MAX_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
"""There is a worker for each core; more threads would only wait for each other."""
LARGE_PAGES = {
    "POLARS_THP": "1",
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=33554432:glibc.malloc.trim_threshold=134217728",
}
"""Memory in pages of 2 MB where the system has them, and little given back in the middle of a task: measuring takes a tenth less time,
editing a twentieth, for some 100 MB more. Where the environment already says otherwise, that counts."""
KEEPING = {"_RJEM_MALLOC_CONF": "dirty_decay_ms:10000"}
"""Polars' allocator gives memory back after half a second and then asks for it again, page by page: that took a tenth of the time of
measuring and editing. After ten seconds it is given back all the same."""


def cores() -> int:
    """Cores this process may use; FLYWHEEL_WORKERS says otherwise (1: everything is made in this process)."""
    wanted = os.environ.get("FLYWHEEL_WORKERS", "")
    return max(1, int(wanted)) if wanted.isdigit() else len(os.sched_getaffinity(0))


def one_by_one(tasks: Sequence[Callable[[], T]]) -> Iterator[tuple[int, T]]:
    """What `side_by_side` gives, made in this process."""
    yield from ((place, task()) for place, task in enumerate(tasks))


def side_by_side(tasks: Sequence[Callable[[], T]]) -> Iterator[tuple[int, T]]:
    """Run picklable tasks on the workers; (place in `tasks`, answer) of each as it is done.

    Raises what a task raised, with the trace of the worker as a note, and `WorkerEnded` when a worker died. The tasks under way
    are waited for then; the others are not begun.
    """
    answers: SimpleQueue[tuple[int, Any, BaseException | None]] = SimpleQueue()
    waiting = iter(list(enumerate(tasks)))
    turn = threading.Lock()
    stop = threading.Event()

    def serve(worker: _Worker) -> None:
        while not stop.is_set():
            with turn:
                place, task = next(waiting, (-1, None))
            if task is None:
                break
            try:
                answers.put((place, worker.ask(task), None))
            except BaseException as e:  # told to the caller, who raises it
                answers.put((place, None, e))
        answers.put((-1, None, None))

    threads = [threading.Thread(target=serve, args=(w,), daemon=True) for w in _workers()[: len(tasks)]]
    for thread in threads:
        thread.start()
    fault: BaseException | None = None
    open_ = len(threads)
    try:
        while open_:
            place, answer, error = answers.get()
            if place < 0:
                open_ -= 1
            elif error is not None:
                fault = fault or error
                stop.set()
            elif fault is None:
                yield place, answer
    finally:
        stop.set()
    if fault is not None:
        raise fault


class _Worker:
    """One process and the pipes to it."""

    def __init__(self) -> None:
        path = os.pathsep.join(p or os.getcwd() for p in sys.path)
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "flywheel.workers"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=LARGE_PAGES | os.environ | ONE_THREAD | KEEPING | {"PYTHONPATH": path},
        )
        self.turn = threading.Lock()

    def ask(self, task: Task) -> Any:
        """What the task returns there; raises what it raises there."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            with self.turn:
                _send(self.process.stdin, pickle.dumps(task))
                answer, error = pickle.load(self.process.stdout)  # noqa: S301  # what our own process wrote
        except (OSError, EOFError):
            code = self.process.wait()
            _workers.cache_clear()
            raise WorkerEnded(
                f"a worker process ended before its work did ({'signal ' + str(-code) if code < 0 else 'exit code ' + str(code)}). "
                "If memory ran out, run with FLYWHEEL_WORKERS=1; what was finished is kept."
            ) from None
        if error is not None:
            raise error
        return answer

    def end(self) -> None:
        """Let it go; it ends when its input does."""
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        self.process.terminate()
        self.process.wait()


@cache
def _workers() -> tuple[_Worker, ...]:
    """The workers of this process, started at the first call."""
    started = tuple(_Worker() for _ in range(cores()))
    for worker in started:
        atexit.register(worker.end)
    return started


def _send(pipe: IO[bytes], data: bytes) -> None:
    pipe.write(data)
    pipe.flush()


def give_back() -> None:
    """Return memory that was freed to the system: the C library keeps what Python's many small objects took, piece by piece.

    After a day of 40,000 calls was measured, a worker goes from 556 MB to 407 MB by this. Where there is no glibc, nothing is done.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _portable(error: BaseException) -> BaseException:
    """The error with its trace as a note, if it survives the way; else one that says the same."""
    error.add_note(traceback.format_exc())
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301  # what we wrote this moment
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}\n{traceback.format_exc()}")
    return error


def _serve(tasks: BinaryIO, answers: BinaryIO) -> None:
    """Take tasks until there are no more."""
    while True:
        try:
            task: Task = pickle.load(tasks)  # noqa: S301  # what the process that started us wrote
        except EOFError:
            return
        answer: tuple[Any, BaseException | None]
        try:
            answer = (task(), None)
        except Exception as e:
            answer = (None, _portable(e))
        _send(answers, pickle.dumps(answer))
        del task, answer
        give_back()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer; it ends us
    pipe = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not stand between the answers
    _serve(sys.stdin.buffer, pipe)
