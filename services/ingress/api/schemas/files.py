"""Shapes of files."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class FileUpload(BaseModel):
    """The form of ``POST /v1/files``."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"purpose": "batch", "file": "{…one request a line…}"}]}
    )

    file: bytes = Field(description="The content.", json_schema_extra={"format": "binary"})
    purpose: Literal["assistants", "batch", "evals", "fine-tune", "user_data", "vision"]
    expires_after_anchor: Literal["created_at"] | None = Field(
        default=None, alias="expires_after[anchor]", description="Together with the seconds."
    )
    expires_after_seconds: int | None = Field(
        default=None, alias="expires_after[seconds]", ge=3600, le=2_592_000
    )


class FileObject(BaseModel):
    """A file. Times are Unix seconds."""

    id: str = Field(examples=["file-0198c1f2a5b47c3d8e9f001122334455"])
    object: Literal["file"] = "file"
    bytes: int
    created_at: int
    expires_at: int | None
    filename: str
    purpose: str
    status: Literal["processed"] = "processed"
    status_details: str | None = None


class FileList(BaseModel):
    """One page of files."""

    object: Literal["list"] = "list"
    data: list[FileObject]
    first_id: str | None
    last_id: str | None = Field(description="The next page's `after`.")
    has_more: bool


class FileDeleted(BaseModel):
    """What deleting a file answers."""

    id: str
    object: Literal["file"] = "file"
    deleted: Literal[True] = True
