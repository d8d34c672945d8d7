"""The killer's plan: what its seed decides, and that it spares nobody."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from tests.faults.campaign.chance import chance
from tests.faults.campaign.history import History, Killed
from tests.faults.campaign.killer import Killer

NAMES = ("ingress", "postgres", "rabbitmq", "results", "valkey")


@dataclass(frozen=True)
class Immortal:
    name: str

    def kill(self) -> int:
        return 1

    async def back(self, _pid: int) -> None:
        pass


def victims_of(seed: int, *, kills: int) -> Sequence[str]:
    history = History()
    killer = Killer(
        victims=[Immortal(name) for name in NAMES],
        history=history,
        rng=chance(seed),
        kills=kills,
        shortest_pause_s=0,
        longest_pause_s=0.001,
    )
    asyncio.run(killer.run())
    return [killed.victim for killed in history.of(Killed)]


def test_a_seed_repeats_its_order_of_victims() -> None:
    assert victims_of(7, kills=20) == victims_of(7, kills=20)
    assert victims_of(7, kills=20) != victims_of(8, kills=20)


def test_everybody_is_killed_before_anybody_is_killed_again() -> None:
    order = victims_of(7, kills=2 * len(NAMES))
    assert set(order[: len(NAMES)]) == set(order[len(NAMES) :]) == set(NAMES)
