"""Settings of webhook delivery, under ``webhooks`` (``PENSTOCK_WEBHOOKS__...``)."""

from typing import Self

from pydantic import Field, model_validator

from shared.config.settings import Section, ServiceSettings

_DAY_S = 86_400.0


class SendingSettings(Section):
    """How deliveries are made."""

    timeout_s: float = Field(default=15.0, gt=0)
    """For one request in all: name, connection, request and answer."""
    connect_timeout_s: float = Field(default=5.0, gt=0)
    """The part of it for name and connection."""
    retry_delays_s: tuple[float, ...] = (5, 300, 1800, 7200, 18_000, 36_000, 36_000)
    """The pause after the first failure, the second …; after the last one a delivery has failed."""
    jitter: float = Field(default=0.1, ge=0, le=1)
    """Each pause is longer by up to this part of it."""
    retry_after_limit_s: float = Field(default=36_000.0, ge=0)
    """The longest pause that a receiver's Retry-After may ask for."""
    disable_after_s: float = Field(default=5 * _DAY_S, gt=0)
    """An endpoint that has only failed for so long is disabled."""
    concurrency: int = Field(default=512, ge=1, le=4096)
    """Most requests at a time, in one process."""
    per_endpoint: int = Field(default=16, ge=1)
    """Most of them to one endpoint; one that fails is tried by fewer."""
    lease_s: float = Field(default=30.0, gt=0)
    """After this a delivery whose sender has died is made by another; longer than ``timeout_s``."""
    poll_interval_s: float = Field(default=0.5, gt=0)
    """How often to look for what is due when nothing calls for it."""
    excerpt_bytes: int = Field(default=1024, ge=0, le=65_536)
    """How much of a receiver's answer is kept."""

    @model_validator(mode="after")
    def _leases_outlast_requests(self) -> Self:
        if self.lease_s <= self.timeout_s:
            raise ValueError("lease_s must be longer than timeout_s")
        return self


class WebhookDeliverySettings(ServiceSettings):
    """What webhook delivery reads."""

    webhooks: SendingSettings = SendingSettings()
