"""Shapes of webhook endpoints and deliveries."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.ingress.domain.webhook_delivery_filter import MAX_REDELIVERIES
from services.ingress.domain.webhook_endpoint_fields import DEFAULT_OVERLAP, MAX_OVERLAP

_EVENTS = "Types such as `job.completed`, all of a kind such as `job.*`, or `*`."
_MOMENT = "Unix seconds or ISO 8601; this moment %s."
DeliveryStatus = Literal["pending", "delivered", "failed"]


class WebhookEndpointCreation(BaseModel):
    """Body of ``POST /v1/webhook_endpoints``."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "url": "https://hooks.example.com/penstock",
                    "events": ["job.*"],
                    "description": "Orders",
                    "metadata": {"team": "orders"},
                }
            ]
        },
    )

    url: str = Field(description="A public HTTP address; where it leads is checked at each call.")
    events: list[str] | None = Field(default=None, description=f"{_EVENTS} By default all.")
    description: str | None = Field(default=None, description="At most 500 characters.")
    metadata: dict[str, Any] | None = Field(default=None, description="Yours; at most 16 KiB of JSON.")
    enabled: bool | None = Field(default=None, description="By default true.")


class WebhookEndpointChange(BaseModel):
    """Body of a change; only what is named changes, null puts the default back."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"enabled": False}]})

    url: str | None = None
    events: list[str] | None = Field(default=None, description=_EVENTS)
    description: str | None = None
    metadata: dict[str, Any] | None = Field(default=None, description="Replaces what was there.")
    enabled: bool | None = Field(
        default=None, description="True also after it was disabled for its failures."
    )


class SecretRotation(BaseModel):
    """Body of a rotation; may be absent."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"overlap_s": 3600}]})

    overlap_s: float | None = Field(
        default=None,
        ge=0,
        le=MAX_OVERLAP.total_seconds(),
        description=(
            f"How long the secrets so far sign beside the new one, by default "
            f"{DEFAULT_OVERLAP.total_seconds():.0f} seconds; 0 ends them at once."
        ),
    )


class SecretState(BaseModel):
    """A secret that signs now."""

    created_at: int
    expires_at: int | None = Field(description="Null: the current one.")


class WebhookEndpointObject(BaseModel):
    """A webhook endpoint. Times are Unix seconds."""

    id: str = Field(examples=["we_0198c1f2a5b47c3d8e9f001122334455"])
    object: Literal["webhook_endpoint"] = "webhook_endpoint"
    url: str
    events: list[str]
    description: str
    metadata: dict[str, Any]
    enabled: bool
    disabled_reason: Literal["caller", "gone", "failing"] | None = Field(
        description="`gone`: it answered 410. `failing`: nothing but failures for days."
    )
    disabled_at: int | None
    failing_since: int | None = Field(description="The first failure after the last success.")
    created_at: int
    updated_at: int
    secrets: list[SecretState] = Field(description="Newest first, without the secrets themselves.")


class WebhookEndpointWithSecret(WebhookEndpointObject):
    """A webhook endpoint and the secret that was just made."""

    secret: str | None = Field(
        description=(
            "Shown here and to who repeats the request with its Idempotency-Key, never again; null there "
            "once it was replaced."
        ),
        examples=["whsec_…"],
    )


class WebhookEndpointList(BaseModel):
    """One page of webhook endpoints, newest first."""

    object: Literal["list"] = "list"
    data: list[WebhookEndpointObject]
    first_id: str | None
    last_id: str | None = Field(description="The next page's `after`.")
    has_more: bool


class WebhookEndpointDeleted(BaseModel):
    """What is left of a webhook endpoint."""

    id: str
    object: Literal["webhook_endpoint.deleted"] = "webhook_endpoint.deleted"
    deleted: Literal[True] = True


class WebhookSecretObject(BaseModel):
    """The secret that signs what goes to the URLs that single jobs name."""

    object: Literal["webhook_secret"] = "webhook_secret"
    secrets: list[SecretState] = Field(description="Newest first; empty before its first use.")


class WebhookSecretMade(WebhookSecretObject):
    """The same, just made."""

    secret: str | None = Field(
        description=(
            "Shown here and to who repeats the request with its Idempotency-Key, never again; null there "
            "once it was replaced."
        ),
        examples=["whsec_…"],
    )


class DeliveryAttempt(BaseModel):
    """One request to the receiver."""

    at: int
    response_status: int | None = Field(description="Null where there was no answer.")
    response_excerpt: str | None = Field(description="The beginning of the answer.")
    duration_ms: int | None
    error: str | None = Field(description="A code; null after a success.", examples=["timeout"])


class WebhookDeliveryObject(BaseModel):
    """An event on its way to one receiver. Times are Unix seconds."""

    id: str = Field(examples=["whd_0198c1f2a5b47c3d8e9f001122334455"])
    object: Literal["webhook_delivery"] = "webhook_delivery"
    endpoint_id: str | None = Field(description="Null: to the URL that a job named.")
    url: str | None = Field(description="That URL; null where it is the endpoint's.")
    message_id: str = Field(description="The `webhook-id` header, the same for each attempt.")
    type: str = Field(examples=["job.completed"])
    status: DeliveryStatus
    attempts: int
    created_at: int
    next_attempt_at: int | None = Field(description="Null: at once, or never again.")
    finished_at: int | None
    last_attempt: DeliveryAttempt | None
    earlier_attempts: list[DeliveryAttempt] | None = Field(
        default=None, description="Those before the last, the newest 20; not in lists."
    )
    payload: dict[str, Any] | None = Field(default=None, description="As sent; not in lists.")


class WebhookDeliveryList(BaseModel):
    """One page of deliveries, newest first."""

    object: Literal["list"] = "list"
    data: list[WebhookDeliveryObject]
    first_id: str | None
    last_id: str | None = Field(description="The next page's `after`.")
    has_more: bool


class Redelivery(BaseModel):
    """Body of a redelivery by filter; may be absent."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"status": "failed", "created_after": "2026-01-31T12:00:00Z"}]},
    )

    status: DeliveryStatus | None = Field(default=None, description="By default `failed`.")
    type: str | None = Field(default=None, description="Only this type of event.")
    created_after: int | str | None = Field(default=None, description=_MOMENT % "included")
    created_before: int | str | None = Field(default=None, description=_MOMENT % "excluded")
    limit: int | None = Field(default=None, ge=1, le=MAX_REDELIVERIES, description="How many at most.")


class RedeliveryCount(BaseModel):
    """How many are sent again."""

    object: Literal["webhook_redelivery"] = "webhook_redelivery"
    redelivered: int
