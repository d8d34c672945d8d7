"""What the scheduler has a worker do with a provider's own batch API: only workers have the keys.

Every action may be asked for again: a batch that the provider has already is found by its metadata, and an
answer that was reported already changes nothing.
"""

from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from shared.contracts.base import Contract
from shared.contracts.jobs import Operation

LINES_A_REPORT = 2_000
"""Answers that are fetched at most before the scheduler notes how far it is."""


class ProviderBatchAction(StrEnum):
    """What to do."""

    SUBMIT = "submit"
    """Give the requests to the provider, unless it has them."""
    LOOK = "look"
    """See how far it is; fetch the answers when it has ended."""
    RECALL = "recall"
    """Have it stop, then look."""


class InputPart(BaseModel):
    """One object of the requests, as lines of a batch's input."""

    model_config = ConfigDict(frozen=True)

    ref: str
    bytes: int


class ProviderBatchAsked(Contract):
    """The scheduler asks about one batch of a provider; a provider_worker replies with what came of it."""

    message_type: ClassVar[str] = "provider_batch.asked.v1"

    id: UUID
    """Ours; also the id of the start of each of its jobs, as all of them are one call of the provider."""
    tenant_id: UUID
    operation: Operation
    model: str
    """The alias."""
    action: ProviderBatchAction
    until: AwareDatetime
    """Then the scheduler may ask another worker, so this one has to be done."""
    created_at: AwareDatetime
    remote_id: str | None = None
    parts: tuple[InputPart, ...] = ()
    output_offset: int = Field(default=0, ge=0)
    """Bytes of the provider's output file that are dealt with."""
    error_offset: int = Field(default=0, ge=0)
    """The same of its error file."""


class ProviderBatchReported(Contract):
    """Reply: what is known of one batch of a provider. All answers named are on their way to the record."""

    message_type: ClassVar[str] = "provider_batch.reported.v1"

    id: UUID
    remote_id: str | None = None
    ended: bool = False
    """Nothing more will come of it, and everything that came is reported."""
    answered: tuple[int, ...] = Field(default=(), max_length=2 * LINES_A_REPORT)
    """Lines of the batch's input that have an end by it, since the last offsets."""
    output_offset: int = 0
    error_offset: int = 0
    more: bool = False
    """Whether more of the answers can be fetched at once."""
    failure: str | None = None
    """Code of the error that kept the worker from finding out; None where it did find out."""


def line_id(job_id: UUID, line: int) -> str:
    """Spell the ``custom_id`` of a request at the provider."""
    return f"{job_id.hex}-{line}"


def parse_line_id(text: object) -> tuple[UUID, int] | None:
    """Read what :func:`line_id` spelled; None if that is something else."""
    head, _, tail = text.partition("-") if isinstance(text, str) else ("", "", "")
    if len(head) != 32 or not (tail.isascii() and tail.isdecimal() and len(tail) < 10):
        return None
    try:
        return UUID(hex=head), int(tail)
    except ValueError:
        return None
