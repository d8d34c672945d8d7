"""Shapes of the management API: one envelope around everything."""

from typing import Generic, TypeVar

from pydantic import BaseModel, Field

Data = TypeVar("Data")


class Pagination(BaseModel):
    """Which part of a list this is."""

    page: int = Field(description="From 1.")
    per_page: int
    total: int | None = Field(description="Null where counting costs more than it is worth.")


class Meta(BaseModel):
    """About the answer."""

    pagination: Pagination | None = Field(default=None, description="Lists that come in pages only.")


class Managed(BaseModel, Generic[Data]):
    """An answer to a request that went well."""

    success: bool = True
    data: Data
    message: str
    error: None = None
    details: list[None] = []
    meta: Meta


class FieldError(BaseModel):
    """A field at fault."""

    field: str = Field(examples=["confirm"])
    message: str


class ManagementError(BaseModel):
    """An answer to a request that failed."""

    success: bool = False
    data: None = None
    message: str
    error: str = Field(description="Stable code.", examples=["operator_required"])
    details: list[FieldError] = []
    meta: Meta
