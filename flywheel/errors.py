"""Every error flywheel raises: a sentence with what was found, what was expected and what to do."""

import difflib
from collections.abc import Iterable


class FlywheelError(Exception):
    """A failure the user can act on. Its text is the whole message; no stack trace is shown for it."""

    exit_code = 1


class HomeMissing(FlywheelError):
    """The home folder, or something it must hold, is not there."""

    exit_code = 2


class HomeBusy(FlywheelError):
    """Another build holds the lock of this home."""

    exit_code = 3


class RecipeInvalid(FlywheelError):
    """The recipe cannot be read, or asks for something that does not exist."""

    exit_code = 2


class OperatorInvalid(FlywheelError):
    """A file in an operator folder does not hold exactly one operator of its kind."""


class RawUnreadable(FlywheelError):
    """A file handed to `ingest` cannot be opened or decompressed at all."""

    exit_code = 2


class RawUnsettled(RawUnreadable):
    """A file changed while it was being read; it is left for the next time."""


class RawChanged(FlywheelError):
    """A raw file no longer has the bytes it was received with."""


class SnapshotMissing(FlywheelError):
    """A dataset was asked for that has not been made yet."""


class SnapshotDamaged(FlywheelError):
    """A stored table no longer has the bytes its manifest names."""


class UnaccountedRows(FlywheelError):
    """A stage lost a row without a reason, or made one without parents."""


class WorkerEnded(FlywheelError):
    """A worker process died while it made a part."""


class UnknownRow(FlywheelError):
    """No row with this id is in any dataset of the home."""


class Untried(FlywheelError):
    """The recipe demands a passed trial before a full build, and there is none of this very recipe."""


class MixInvalid(FlywheelError):
    """What a mix is to follow gives no shares."""


class ErasureUnfinished(FlywheelError):
    """Something of whom was to be forgotten is left in the home."""


class PlanInvalid(FlywheelError):
    """A plan was asked for with numbers that cannot be."""

    exit_code = 2


class ReleaseRefused(FlywheelError):
    """A candidate may not be released: a blocking check failed or has no verdict for this very snapshot."""


class PromotionRefused(FlywheelError):
    """A version is worse than the current one beyond noise, or damaged, and may not become the current one."""


class ResultInvalid(FlywheelError):
    """A result of an evaluation says too little, or the file of results cannot be read."""

    exit_code = 2


class ExportInvalid(FlywheelError):
    """A written training file was refused by the reader that validates its format."""


class EmbeddingsFailed(FlywheelError):
    """A model, or the endpoint that serves it, gave no vector for a text."""


class Unreadable(Exception):
    """One line of a log that a source cannot take. `reason` is a code; the line goes to quarantine with it."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


def nearest(word: str, known: Iterable[str]) -> str:
    """' Did you mean "x"?' for the closest of `known`, or an empty string when none is close."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f' Did you mean "{close[0]}"?' if close else ""
