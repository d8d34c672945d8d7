"""A worker's replies, read as far as a waiting caller needs them; results reads and checks the rest.

A stream has thousands of deltas a second, so that they are no pydantic models: reading one takes a tenth.
"""

from dataclasses import dataclass
from typing import Any, Self

import orjson

from shared.contracts.jobs import Failure, JobDelta, JobFinished, JobStatus
from shared.errors import MalformedMessageError


@dataclass(slots=True, kw_only=True)
class ReplyDelta:
    """A ``JobDelta``: chunks of a stream."""

    start_id: str
    sequence: int
    body: bytes = b""

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read the message.

        Raises:
            MalformedMessageError: It is none.
        """
        head, _, body = data.partition(b"\n")
        try:
            fields = orjson.loads(head)
            return cls(start_id=fields["start_id"], sequence=int(fields["sequence"]), body=body)
        except (ValueError, LookupError, TypeError) as error:
            raise _malformed(JobDelta.message_type) from error


@dataclass(slots=True, kw_only=True)
class ReplyEnd:
    """A ``JobFinished``: the answer, or why there is none."""

    status: JobStatus
    start_id: str | None = None
    deltas: int = 0
    failure: Failure | None = None
    body: bytes = b""
    body_ref: str | None = None

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read the message.

        Raises:
            MalformedMessageError: It is none.
        """
        head, _, body = data.partition(b"\n")
        try:
            fields: dict[str, Any] = orjson.loads(head)
            failure = fields.get("failure")
            return cls(
                status=JobStatus(fields["status"]),
                start_id=fields.get("start_id"),
                deltas=fields.get("deltas", 0),
                failure=None if failure is None else Failure.model_validate(failure),
                body=body,
                body_ref=fields.get("body_ref"),
            )
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise _malformed(JobFinished.message_type) from error


def read_reply(message_type: str, data: bytes) -> ReplyDelta | ReplyEnd:
    """Read a reply by the type that the broker gives with it.

    Raises:
        MalformedMessageError: It is neither.
    """
    return ReplyDelta.decode(data) if message_type == JobDelta.message_type else ReplyEnd.decode(data)


def _malformed(message_type: str) -> MalformedMessageError:
    return MalformedMessageError(f"not a {message_type}")
