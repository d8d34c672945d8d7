from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from services.scheduler.settings import SchedulerSettings
from shared.messaging.broker import Broker
from tests.support.brokers import pgmq_broker
from tests.support.services import service_settings
from tests.support.store import app, jobs, migrated_url, system

__all__ = ["app", "jobs", "migrated_url", "system"]


@pytest.fixture
async def broker(migrated_url: str) -> AsyncGenerator[Broker, None]:
    async with pgmq_broker(migrated_url) as broker:
        yield broker


@pytest.fixture
def settings(migrated_url: str, tmp_path: Path) -> SchedulerSettings:
    """Everything is looked after often, so that the tests are short."""
    return service_settings(
        SchedulerSettings,
        url=migrated_url,
        folder=tmp_path,
        scheduler={
            "leadership_interval_s": 0.1,
            "outbox_interval_s": 0.1,
            "outbox_retry_s": 0.3,
            "silent_interval_s": 0.2,
            "silent_after_s": 60,
            "silent_grace_s": 0.3,
            "deadline_interval_s": 0.1,
            "deadline_grace_s": 0,
            "erasure_interval_s": 0.1,
        },
    )
