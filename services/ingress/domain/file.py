"""A file as the API shows it. Source: the File object of the OpenAI API reference."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.contracts.batches import FilePurpose, public_file_id


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One row."""

    id: UUID
    purpose: FilePurpose
    filename: str
    bytes: int
    created_at: datetime
    expires_at: datetime | None = None

    def render(self) -> dict[str, Any]:
        """Spell the file object; times are Unix seconds."""
        return {
            "id": public_file_id(self.id),
            "object": "file",
            "bytes": self.bytes,
            "created_at": int(self.created_at.timestamp()),
            "expires_at": None if self.expires_at is None else int(self.expires_at.timestamp()),
            "filename": self.filename,
            "purpose": self.purpose,
            "status": "processed",
            "status_details": None,
        }


def render_deleted(identifier: UUID) -> dict[str, Any]:
    """Spell the answer to a deletion."""
    return {"id": public_file_id(identifier), "object": "file", "deleted": True}
