"""The chunks in a job's event log, as the OpenAI stream that its caller would have read."""

from dataclasses import dataclass

from services.ingress.domain.delta_order import StreamInterruptedError
from services.ingress.domain.json_elements import ArrayElements
from shared.contracts.jobs import Failure, JobStatus

DELTA = "job.delta"
VOIDING = ("job.in_progress", "job.retrying")
"""What comes after one of these begins anew."""
_CHUNKS = b'{"chunks":['
_REASONS = (b'"finish_reason":"', b'"finish_reason": "')


@dataclass(frozen=True, slots=True)
class RecordedEnd:
    """How the job ended."""

    status: JobStatus
    failure: Failure | None


@dataclass(frozen=True, slots=True)
class RecordedPart:
    """What a look into the log brought."""

    lines: bytes = b""
    """Chunks, one a line."""
    end: RecordedEnd | None = None


class RecordedAnswer:
    """Follows one answer through the events of its job."""

    def __init__(self) -> None:
        self._lines: list[bytes] = []
        self._told = False
        self._whole = False

    def add(self, kind: str, data: str) -> None:
        """Take the next event.

        Raises:
            StreamInterruptedError: The answer begins anew, and a part of the one before was told.
        """
        if kind == DELTA:
            text = data.encode()
            self._lines += ArrayElements(text, len(_CHUNKS))
            self._whole = self._whole or any(reason in text for reason in _REASONS)
        elif kind in VOIDING:
            if self._told:
                raise StreamInterruptedError("The model began its answer anew; ask again for all of it.")
            self._lines.clear()
            self._whole = False

    def take(self) -> bytes:
        """Return the chunks that have come, one a line; they count as told."""
        lines = b"\n".join(self._lines)
        self._lines.clear()
        self._told = self._told or bool(lines)
        return lines

    def check_whole(self) -> None:
        """Check that a completed answer is all there: the log of a long one may hold its beginning only.

        Raises:
            StreamInterruptedError: Its last chunk, the one with the reason, is missing.
        """
        if not self._whole:
            raise StreamInterruptedError("A part of the stream was lost; the job's result has all of it.")
