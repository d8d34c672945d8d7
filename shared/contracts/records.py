"""Records of several jobs in one message, so that they share one confirm and one place in the queue."""

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import ClassVar, Self

from shared.contracts.base import Contract
from shared.errors import MalformedMessageError


class JobRecords(Contract):
    """What workers report of jobs, several messages of one type; each counts as if it had come by itself.

    ``body`` is the messages' own bytes, one after the other, in the order in which they were sent.
    """

    message_type: ClassVar[str] = "job.records.v1"

    record_type: str
    """Name and version of what is gathered, e.g. ``job.finished.v1``."""
    lengths: tuple[int, ...]
    """Bytes of each record."""

    @classmethod
    def gather(cls, record_type: str, records: Sequence[bytes]) -> Self:
        """Put encoded messages of one type together."""
        return cls(record_type=record_type, lengths=tuple(map(len, records)), body=b"".join(records))

    def split(self) -> list[bytes]:
        """Take them apart again.

        Raises:
            MalformedMessageError: The lengths do not fit the body.
        """
        ends = list(accumulate(self.lengths, initial=0))
        if ends[-1] != len(self.body) or any(length < 0 for length in self.lengths):
            raise MalformedMessageError("the lengths of the records do not add up to the message's")
        return [self.body[start:end] for start, end in pairwise(ends)]
