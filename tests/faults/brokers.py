"""Fleets whose broker may be killed."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.faults.campaign.calls import SYNC_TIMEOUT_S
from tests.support.fleet import Fleet, running_fleet
from tests.support.rabbitmq import RabbitNode

LOADED = {
    "PENSTOCK_BROKER__LEASE_S": "5",
    # So that what a dead sender had claimed, or could not send, is soon sent again.
    "PENSTOCK_WEBHOOKS__TIMEOUT_S": "4",
    "PENSTOCK_WEBHOOKS__CONNECT_TIMEOUT_S": "4",
    "PENSTOCK_WEBHOOKS__LEASE_S": "5",
    "PENSTOCK_WEBHOOKS__RETRY_DELAYS_S": str([1] * 30),
    "PENSTOCK_INGRESS__SYNC_TIMEOUT_S": str(SYNC_TIMEOUT_S),
}
"""Settings that the clients of a campaign expect."""


@dataclass(frozen=True)
class Brokers:
    """PGMQ on the fleet's own PostgreSQL, or a RabbitMQ node that no other test uses.

    Args:
        name: What to call it.
        node: None for PGMQ.
    """

    name: str
    node: RabbitNode | None

    @contextmanager
    def fleet(self, base: Path, environment: Mapping[str, str] = {}) -> Iterator[Fleet]:
        """Run a fleet whose queues outlive a kill of their broker from the first moment on."""
        settings = {**LOADED, **environment}
        if self.node is not None:
            self.node.start()
            settings["PENSTOCK_BROKER__URL"] = self.node.url
        with running_fleet(base, settings) as fleet:
            if self.node is not None:
                self.node.settle_queues()
                fleet.wait_until(lambda: fleet.status()["ready"], "every service has found its broker again")
            yield fleet
