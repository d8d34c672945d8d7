"""``kill -9`` of everything at random moments under load: nothing that was accepted is lost or done twice."""

import asyncio
from pathlib import Path

import pytest

from tests.faults.brokers import Brokers
from tests.faults.campaign.chance import chance
from tests.faults.campaign.run import run_campaign
from tests.faults.campaign.victims import everybody
from tests.faults.settings import CampaignSettings

pytestmark = pytest.mark.faults


@pytest.mark.timeout(2700)
def test_what_was_accepted_ends_exactly_once_whoever_is_killed(
    brokers: Brokers, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = CampaignSettings()
    with capsys.disabled():
        print(f"\n{brokers.name}: PENSTOCK_TEST_SEED={settings.seed}, {settings.kills} kills")
    with brokers.fleet(tmp_path / "fleet") as fleet:
        victims = everybody(fleet, chance(settings.seed), brokers.node)
        verdict = asyncio.run(run_campaign(fleet, victims, settings, folder=tmp_path))
        with capsys.disabled():
            print(verdict.summary())
        assert not verdict.breaches, f"{tmp_path}: {verdict.complaint(seed=settings.seed)}"
        assert fleet.stop() == 0
