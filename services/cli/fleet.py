"""The table of services that a local fleet runs, in the order in which they stop."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from services.cli.ports import free_port
from services.cli.process import Launch

Environment = Callable[[], Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Service:
    """One kind of process."""

    name: str
    scales: bool = False
    """Whether ``--workers`` says how many there are."""


STOP_ORDER = (
    Service("ingress"),  # first nothing new comes in,
    Service("provider_worker", scales=True),  # then work under way ends or is handed back,
    Service("results"),  # then what ended is recorded
    Service("scheduler"),
    Service("webhook_delivery"),
    Service("simulator"),
)
NAMES = tuple(service.name for service in STOP_ORDER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Launcher:
    """Starts one kind of service as ``python -m services.<name>``."""

    service: Service
    environment: Environment
    overrides: Mapping[str, str]

    def __call__(self) -> Launch:
        """Describe the next start, with a fresh admin port: the old one may be taken by now."""
        port = free_port()
        return Launch(
            argv=(sys.executable, "-m", f"services.{self.service.name}"),
            environment={**self.environment(), **self.overrides, "PENSTOCK_ADMIN__PORT": str(port)},
            admin_port=port,
        )


def instances(service: Service, workers: int) -> Sequence[str]:
    """Name the processes of a kind: numbered where there is more than one."""
    if not service.scales or workers == 1:
        return [service.name]
    return [f"{service.name}-{number}" for number in range(1, workers + 1)]
