"""Settings of the local fleet: which servers are there already, and where the fleet listens."""

from ipaddress import IPv4Network, IPv6Network

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from shared.config.settings import BrokerUrl, MongoUrl, ObjectsUrl, PostgresUrl, ProcessSettings, RedisUrl


class _Server(BaseModel):
    """A server that may be configured; the services read the rest of its section."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class BrokerServer(_Server):
    """Where the broker is; None: on the fleet's PostgreSQL."""

    url: BrokerUrl | None = None


class PostgresServer(_Server):
    """Where PostgreSQL is; None: the embedded one."""

    url: PostgresUrl | None = None


class RedisServer(_Server):
    """Where Redis is; None: the embedded one."""

    url: RedisUrl | None = None


class MongoServer(_Server):
    """Where MongoDB is; None: documents are in PostgreSQL."""

    url: MongoUrl | None = None


class ObjectStore(_Server):
    """Where large bodies are; None: in the data folder."""

    url: ObjectsUrl | None = None


class Egress(_Server):
    """Which networks callers' URLs may lead to; None: this machine's own, so that a receiver can run here."""

    allowed_networks: tuple[IPv4Network | IPv6Network, ...] | None = None


class FleetSettings(ProcessSettings):
    """What ``penstock up`` and its siblings read."""

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=1, le=65535)
    workers: int = Field(default=1, ge=1, le=64)
    """How many provider workers run."""
    shutdown_grace_s: float = Field(default=10.0, gt=0)
    """Shorter than in a cluster: whoever pressed Ctrl-C waits for it."""
    secret_key: SecretStr | None = None
    broker: BrokerServer = BrokerServer()
    postgres: PostgresServer = PostgresServer()
    redis: RedisServer = RedisServer()
    mongo: MongoServer = MongoServer()
    objects: ObjectStore = ObjectStore()
    egress: Egress = Egress()
