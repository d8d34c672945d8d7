"""``kill -9`` of everything at random moments under load: nothing that was accepted is lost or done twice."""

import asyncio
from pathlib import Path

import pytest

from tests.faults.campaign.calls import SYNC_TIMEOUT_S
from tests.faults.campaign.chance import chance
from tests.faults.campaign.run import run_campaign
from tests.faults.campaign.victims import everybody
from tests.faults.settings import CampaignSettings
from tests.support.fleet import running_fleet

pytestmark = pytest.mark.faults

ENVIRONMENT = {
    "PENSTOCK_BROKER__LEASE_S": "5",
    "PENSTOCK_INGRESS__SYNC_TIMEOUT_S": str(SYNC_TIMEOUT_S),
}


@pytest.mark.parametrize("broker", ["embedded", pytest.param("rabbitmq", marks=pytest.mark.rabbitmq)])
@pytest.mark.timeout(900)
def test_what_was_accepted_ends_exactly_once_whoever_is_killed(
    broker: str, request: pytest.FixtureRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = CampaignSettings()
    environment, node = dict(ENVIRONMENT), None
    if broker == "rabbitmq":
        node = request.getfixturevalue("own_rabbitmq_node")
        environment["PENSTOCK_BROKER__URL"] = node.url
    with running_fleet(tmp_path / "fleet", environment) as fleet:
        if node is not None:
            node.settle_queues()
            fleet.wait_until(lambda: fleet.status()["ready"], "every service has found its broker again")
        victims = everybody(fleet, chance(settings.seed), node)
        campaign = asyncio.run(
            run_campaign(fleet, list(victims), seed=settings.seed, kills=settings.kills, folder=tmp_path)
        )
        with capsys.disabled():
            print(f"\n{broker}, {campaign.summary()}")
        assert not campaign.breaches, f"{tmp_path}:\n" + "\n".join(campaign.breaches)
        assert fleet.stop() == 0
