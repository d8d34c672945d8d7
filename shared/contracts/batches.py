"""Batches: their statuses, and which routes their requests may name."""

from collections.abc import Mapping
from enum import StrEnum
from uuid import UUID

from shared.contracts.jobs import Operation
from shared.errors import NotFoundError

BATCH_PREFIX = "batch"
FILE_PREFIX = "file-"

ENDPOINTS: Mapping[str, Operation] = {
    "/v1/chat/completions": Operation.CHAT,
    "/v1/completions": Operation.COMPLETION,
    "/v1/embeddings": Operation.EMBEDDING,
    "/v1/images/generations": Operation.IMAGE,
}


class BatchStatus(StrEnum):
    """Where a batch is."""

    VALIDATING = "validating"
    IN_PROGRESS = "in_progress"
    FINALIZING = "finalizing"
    """Every request has its end; the files are being completed."""
    CANCELLING = "cancelling"
    COMPLETED = "completed"
    FAILED = "failed"
    """Its input cannot be used; nothing was run."""
    EXPIRED = "expired"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """Whether nothing can change any more."""
        return self in _FINAL


_FINAL = (BatchStatus.COMPLETED, BatchStatus.FAILED, BatchStatus.EXPIRED, BatchStatus.CANCELLED)


class FilePurpose(StrEnum):
    """What a file is for."""

    ASSISTANTS = "assistants"
    BATCH = "batch"
    BATCH_OUTPUT = "batch_output"
    """Written by us, not uploaded."""
    EVALS = "evals"
    FINE_TUNE = "fine-tune"
    USER_DATA = "user_data"
    VISION = "vision"


def public_file_id(identifier: UUID) -> str:
    """Spell the id of a file as OpenAI does, e.g. ``file-0198c1f2a5b47c3d8e9f001122334455``."""
    return FILE_PREFIX + identifier.hex


def parse_file_id(text: str) -> UUID:
    """Read the id of a file.

    Raises:
        NotFoundError: The text is none, so nothing can have it.
    """
    tail = text.removeprefix(FILE_PREFIX)
    if tail != text and len(tail) == 32:
        try:
            return UUID(hex=tail)
        except ValueError:
            pass
    raise NotFoundError(f"No such File object: {text[:80]}")
