"""Settings that every service has; each service adds its own section in its ``settings.py``.

``shared.config.loader`` says where a value comes from. Variables are named ``PENSTOCK_`` and the path
with double underscores, e.g. ``PENSTOCK_BROKER__URL``.
"""

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from shared.config.providers import ModelAlias, ProviderSettings


class Section(BaseModel):
    """Base of a group of settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _one_of(*schemes: str) -> AfterValidator:
    def check(url: SecretStr) -> SecretStr:
        if not url.get_secret_value().startswith(tuple(f"{scheme}:" for scheme in schemes)):
            raise ValueError(f"must be a URL that begins with one of {', '.join(schemes)}")
        return url

    return AfterValidator(check)


BrokerUrl = Annotated[SecretStr, _one_of("amqp", "amqps", "postgresql", "postgres")]
PostgresUrl = Annotated[SecretStr, _one_of("postgresql", "postgres")]
RedisUrl = Annotated[SecretStr, _one_of("redis", "rediss", "unix")]
MongoUrl = Annotated[SecretStr, _one_of("mongodb", "mongodb+srv")]
ObjectsUrl = Annotated[SecretStr, _one_of("file", "s3", "gs", "az", "memory")]


class BrokerSettings(Section):
    """RabbitMQ, or PGMQ on a PostgreSQL."""

    url: BrokerUrl
    publish_timeout_s: float = Field(default=1.5, gt=0)
    """How long a publish waits for its confirm, reconnecting included."""
    lease_s: float = Field(default=30.0, gt=0)
    """PGMQ: how long a delivery is hidden from others unless renewed."""
    pool_size: int = Field(default=4, ge=1)
    """PGMQ: connections a process uses for statements."""


class PostgresSettings(Section):
    """The relational store: the truth about jobs."""

    url: PostgresUrl
    pool_size: int = Field(default=8, ge=1)
    acquire_timeout_s: float = Field(default=1.5, gt=0)
    statement_timeout_s: float = Field(default=10.0, gt=0)


class RedisSettings(Section):
    """Redis or Valkey: speed, never truth."""

    url: RedisUrl
    timeout_s: float = Field(default=0.5, gt=0)


class MongoSettings(Section):
    """The document store, where one is used instead of PostgreSQL's JSONB."""

    url: MongoUrl


class ObjectSettings(Section):
    """Where bodies that are too large for a message are kept."""

    url: ObjectsUrl
    inline_bytes: int = Field(default=64 * 1024, ge=0, le=200 * 1024)
    """Bodies up to this size travel inside the message."""


class LogSettings(Section):
    """Structured logs on standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "console"] = "auto"
    """``auto``: readable on a terminal, JSON lines elsewhere."""


class AdminSettings(Section):
    """The port with ``/health/live``, ``/health/ready`` and ``/metrics`` that every service has."""

    host: str = "127.0.0.1"
    port: int = Field(default=0, ge=0, le=65535)
    """0 takes a free one and logs it."""


class TelemetrySettings(Section):
    """OpenTelemetry traces; off without an endpoint."""

    otlp_endpoint: str | None = None
    """Base URL of an OTLP/HTTP collector, e.g. ``http://otel-collector:4318``."""
    sample_ratio: float = Field(default=1.0, ge=0, le=1)


class EgressSettings(Section):
    """Where requests to URLs that callers supply may go; the public internet is allowed by itself."""

    allowed_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    """Networks beside it, e.g. ``["10.20.0.0/16"]``. The local fleet allows loopback."""
    denied_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    """Public networks that are the operator's own, and translators' prefixes (NAT64) of the site."""
    https_only: bool = False


class ProcessSettings(BaseModel):
    """What every process reads; making one reads nothing by itself, ``load_settings`` does.

    Unknown sections are ignored: the files that all services share may hold another service's.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    environment: str = "local"
    data_dir: Path = Path(".penstock")
    log: LogSettings = LogSettings()
    admin: AdminSettings = AdminSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    shutdown_grace_s: float = Field(default=25.0, gt=0)
    """How long SIGTERM lets work under way finish before it is handed back."""


class ServiceSettings(ProcessSettings):
    """What every service that takes part in the flow of jobs reads."""

    secret_key: SecretStr = Field(min_length=32)
    """Pepper of the API keys' HMAC; at least 32 characters, the same for the whole fleet."""
    broker: BrokerSettings
    postgres: PostgresSettings
    redis: RedisSettings
    mongo: MongoSettings | None = None
    objects: ObjectSettings
    egress: EgressSettings = EgressSettings()
    providers: dict[str, ProviderSettings] = {}
    """Providers by name, beside those that their usual environment variables switch on."""
    models: dict[str, ModelAlias] = {}
    """Model aliases by name."""
