"""Shapes that every route shares."""

from pydantic import BaseModel, ConfigDict, Field


class Open(BaseModel):
    """A shape with room for fields that are not listed; they reach the provider untouched."""

    model_config = ConfigDict(extra="allow")


class ErrorDetail(BaseModel):
    """What went wrong."""

    message: str = Field(examples=["Missing required parameter: 'messages'."])
    type: str = Field(examples=["invalid_request_error"])
    param: str | None = Field(examples=["messages"])
    code: str | None = Field(examples=["invalid_request"])


class ErrorBody(BaseModel):
    """The OpenAI error shape, which every error has."""

    error: ErrorDetail


class Model(BaseModel):
    """A model that can be named in a request."""

    id: str = Field(examples=["simulator/echo"])
    object: str = "model"
    created: int = Field(description="Unix seconds; 0 where nobody knows.", examples=[0])
    owned_by: str = Field(examples=["simulator"])


class ModelList(BaseModel):
    """The models that configuration names; others work as ``provider/model``."""

    object: str = "list"
    data: list[Model]


class Health(BaseModel):
    """Whether the service can do its work."""

    status: str = Field(examples=["ok"])
    dependencies: dict[str, str] = Field(
        default={}, examples=[{"postgres": "ok", "broker": "ok", "redis": "ok"}]
    )
