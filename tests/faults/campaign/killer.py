"""Kills at random moments: each victim about as often as the others, also while another is still down."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tests.faults.campaign.chance import Chance
from tests.faults.campaign.history import History, Killed, Recovered
from tests.faults.campaign.victims import RECOVERY_LIMIT_S, Victim
from tests.support.store import until


@dataclass(kw_only=True)
class Killer:
    """Kills ``kills`` times, ``shortest_pause_s`` to ``longest_pause_s`` apart."""

    victims: Sequence[Victim]
    history: History
    rng: Chance
    kills: int
    shortest_pause_s: float = 0.3
    longest_pause_s: float = 4.0
    _down: set[str] = field(default_factory=set)

    async def run(self) -> None:
        """Return when the last victim is back.

        Raises:
            ExceptionGroup: One is not back in time.
        """
        order = self._order()
        async with asyncio.TaskGroup() as group:
            for _ in range(self.kills):
                await asyncio.sleep(self.rng.uniform(self.shortest_pause_s, self.longest_pause_s))
                await self._kill(next(order), group)

    def _order(self) -> Iterator[Victim]:
        while True:
            yield from self.rng.sample(list(self.victims), len(self.victims))

    async def _kill(self, victim: Victim, group: asyncio.TaskGroup) -> None:
        pid = await until(lambda: self._killed(victim), limit_s=RECOVERY_LIMIT_S)
        self.history.record(Killed(victim=victim.name, pid=pid))
        self._down.add(victim.name)
        group.create_task(self._await_return(victim, pid))

    async def _killed(self, victim: Victim) -> int:
        """Return the pid of whom it hit; 0 while there is nobody to hit."""
        if victim.name in self._down:
            return 0
        try:
            return victim.kill()
        except ProcessLookupError:  # another's death took it along
            return 0

    async def _await_return(self, victim: Victim, pid: int) -> None:
        killed_at = self.history.now()
        await victim.back(pid)
        self._down.discard(victim.name)
        self.history.record(Recovered(victim=victim.name, after_s=round(self.history.now() - killed_at, 2)))
