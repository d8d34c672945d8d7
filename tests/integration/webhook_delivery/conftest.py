from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import pytest

from services.webhook_delivery.app import running
from services.webhook_delivery.settings import WebhookDeliverySettings
from shared.runtime.health import Health
from shared.storage.postgres import Database
from tests.support.receiver import Receiver, receiving
from tests.support.services import service_settings
from tests.support.store import app, jobs, migrated_url, system
from tests.support.webhooks import Hooks

__all__ = ["app", "jobs", "migrated_url", "system"]

MakeSettings = Callable[..., WebhookDeliverySettings]


@pytest.fixture
def make_settings(migrated_url: str, tmp_path: Path) -> MakeSettings:
    """Retries at once, so that the tests are short; anything else may be named."""

    def make(**sending: Any) -> WebhookDeliverySettings:
        return service_settings(
            WebhookDeliverySettings,
            url=migrated_url,
            folder=tmp_path,
            egress={"allowed_networks": ["127.0.0.0/8", "::1/128"]},
            webhooks={
                "retry_delays_s": [0.05, 0.05],
                "jitter": 0,
                "timeout_s": 5,
                "poll_interval_s": 0.05,
                **sending,
            },
        )

    return make


@pytest.fixture
async def service(make_settings: MakeSettings) -> AsyncGenerator[Health, None]:
    async with running(make_settings()) as health:
        yield health


@pytest.fixture
async def receiver() -> AsyncGenerator[Receiver, None]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
def hooks(app: Database, system: Database) -> Hooks:
    return Hooks(app, system)
