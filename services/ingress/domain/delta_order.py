"""Deltas of a stream, in order and without gaps, or a clear error."""

from services.ingress.domain.reply import ReplyDelta, ReplyEnd
from shared.errors import PenstockError


class StreamInterruptedError(PenstockError):
    """A part of the answer was lost on its way; what was sent before is not the whole."""

    code = "stream_interrupted"
    http_status = 502


class DeltaOrder:
    """Follows one stream."""

    def __init__(self) -> None:
        self._start_id: str | None = None
        self._next = 0

    def is_new(self, delta: ReplyDelta) -> bool:
        """Take the next delta; False for one that came before.

        Raises:
            StreamInterruptedError: One is missing, or another start of the job began to answer.
        """
        if self._start_id is None:
            self._start_id = delta.start_id
        if delta.start_id != self._start_id or delta.sequence > self._next:
            raise StreamInterruptedError("A part of the stream was lost.")
        if delta.sequence < self._next:
            return False
        self._next += 1
        return True

    def check_end(self, end: ReplyEnd) -> None:
        """Check that every delta of a completed stream has come.

        Raises:
            StreamInterruptedError: One is missing.
        """
        if end.deltas != self._next or (self._next and end.start_id != self._start_id):
            raise StreamInterruptedError("A part of the stream was lost.")
