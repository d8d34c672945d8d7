"""What the fleet's processes find in their environment."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass

from services.cli.data_dir import DataDir
from services.cli.embedded import POSTGRES, VALKEY
from services.cli.remains import MARK
from services.cli.settings import FleetSettings

LOOPBACK = ("127.0.0.0/8", "::1/128")
SIMULATOR_MODELS = ("echo", "text", "embedding", "image")


def own_environment() -> dict[str, str]:
    """Return a copy of this process's environment, to hand on."""
    return dict(os.environ)  # noqa: TID251 - handed to the processes, which read their settings from it


@dataclass(frozen=True, slots=True)
class FleetEnvironment:
    """Completes what the user configured with what the local fleet brings along.

    Args:
        settings: What the user configured.
        folder: The fleet's data folder.
        port: Where ingress listens.
        simulator_url: Root of the simulator, without a path.
    """

    settings: FleetSettings
    folder: DataDir
    port: int
    simulator_url: str

    def embedded(self) -> tuple[str, ...]:
        """Name the engines that no configured server replaces."""
        engines = ((POSTGRES, self.settings.postgres.url), (VALKEY, self.settings.redis.url))
        return tuple(name for name, url in engines if url is None)

    def additions(self, engine_urls: Mapping[str, str]) -> dict[str, str]:
        """Return the variables that the user left open.

        Args:
            engine_urls: URLs of the embedded engines by name.
        """
        settings = self.settings
        added = {
            "PENSTOCK_DATA_DIR": str(self.folder.path),
            "PENSTOCK_HOST": settings.host,
            "PENSTOCK_PORT": str(self.port),
            "PENSTOCK_SHUTDOWN_GRACE_S": f"{settings.shutdown_grace_s:g}",
            "PENSTOCK_LOG__FORMAT": "json",
        }
        if settings.secret_key is None:
            added["PENSTOCK_SECRET_KEY"] = self.secret_key()
        if settings.postgres.url is None:
            added["PENSTOCK_POSTGRES__URL"] = engine_urls[POSTGRES]
        if settings.broker.url is None:
            added["PENSTOCK_BROKER__URL"] = self.postgres_url(engine_urls)
        if settings.redis.url is None:
            added["PENSTOCK_REDIS__URL"] = engine_urls[VALKEY]
        if settings.objects.url is None:
            added["PENSTOCK_OBJECTS__URL"] = self.folder.objects.as_uri()
        if settings.egress.allowed_networks is None:
            added["PENSTOCK_EGRESS__ALLOWED_NETWORKS"] = json.dumps(LOOPBACK)
        added["PENSTOCK_PROVIDERS__SIMULATOR__BASE_URL"] = f"{self.simulator_url}/v1"
        added["PENSTOCK_PROVIDERS__SIMULATOR__MODELS"] = json.dumps(SIMULATOR_MODELS)
        return added

    def postgres_url(self, engine_urls: Mapping[str, str]) -> str:
        """Return the URL of the relational store."""
        url = self.settings.postgres.url
        return engine_urls[POSTGRES] if url is None else url.get_secret_value()

    def secret_key(self) -> str:
        """Return the configured secret key, or the data folder's own."""
        key = self.settings.secret_key
        return self.folder.secret_key() if key is None else key.get_secret_value()

    def of_service(self, inherited: Mapping[str, str], engine_urls: Mapping[str, str]) -> dict[str, str]:
        """Return the whole environment of a service, but for its admin port."""
        # PYTHONUNBUFFERED: a crash's last words must not stay in a buffer.
        return {
            **inherited,
            **self.additions(engine_urls),
            "PYTHONUNBUFFERED": "1",
            MARK: str(self.folder.path),
        }
