"""The deltas of one stream, encoded without a model for each: a stream has one for every token or two."""

from uuid import UUID

from shared.contracts.jobs import JobDelta

_MARK = b'"sequence":0'


class DeltaEncoder:
    """Spells what ``JobDelta(...).encode()`` would, of one start of one job."""

    def __init__(self, *, job_id: UUID, tenant_id: UUID, start_id: UUID) -> None:
        first = JobDelta(job_id=job_id, tenant_id=tenant_id, start_id=start_id, sequence=0)
        before, _, after = first.encode().partition(_MARK)
        self._before = before + _MARK[:-1]
        self._after = after

    def encode(self, sequence: int, lines: bytes) -> bytes:
        """Encode one delta.

        Args:
            sequence: Its number, from 0.
            lines: Its body.
        """
        return b"%s%d%s%s" % (self._before, sequence, self._after, lines)
