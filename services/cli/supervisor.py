"""Runs engines and services together: start, be ready, keep running, stop in order."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from services.cli.engine_keeper import EngineKeeper
from services.cli.errors import CommandError
from services.cli.probe import readiness
from services.cli.process import ManagedProcess
from services.cli.state import Phase
from shared.runtime.engines.errors import EngineError

READY_POLL_S = 0.05
RESTARTS_BEFORE_READY = 5
"""Who dies more often than this before the fleet was ever ready will not become ready."""
T = TypeVar("T")


class StopRequested(Exception):  # noqa: N818 - it is a wish, not an error
    """Somebody asked the fleet to stop before it was ready."""


@dataclass(kw_only=True)
class Supervisor:
    """Everything that runs, and in which order it ends.

    Args:
        guard: Cleans up when this process is killed; started first, stopped last.
        engines: Started together, before the services.
        stages: Services; all are started together, and the stages stop one after the other.
        prepare: Awaited between engines and services.
        on_phase: Told of each phase.
        ready_timeout_s: How long all services together may take until they are ready.
    """

    guard: ManagedProcess
    engines: Sequence[EngineKeeper]
    stages: Sequence[Sequence[ManagedProcess]]
    prepare: Callable[[], Awaitable[None]]
    on_phase: Callable[[Phase], None]
    ready_timeout_s: float
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    """Set to stop in order."""
    force: asyncio.Event = field(default_factory=asyncio.Event)
    """Set to kill the services that have not stopped yet."""

    @property
    def processes(self) -> list[ManagedProcess]:
        """Every service's process."""
        return [process for stage in self.stages for process in stage]

    async def run(self) -> None:
        """Run until ``stop`` is set.

        Raises:
            CommandError: The fleet did not become ready; it is stopped again.
        """
        self.on_phase("starting")
        async with asyncio.TaskGroup() as group:
            group.create_task(self.guard.run())
            try:
                await self._start(group)
                self.on_phase("ready")
                await self.stop.wait()
            except StopRequested:
                pass
            finally:
                self.on_phase("stopping")
                await self._stop()

    async def _start(self, group: asyncio.TaskGroup) -> None:
        await self._unless_stopped(self._start_engines())
        for keeper in self.engines:
            group.create_task(keeper.watch())
        await self._unless_stopped(self.prepare())
        for process in self.processes:
            group.create_task(process.run())
        await self._unless_stopped(self._until_ready())

    async def _start_engines(self) -> None:
        results = await asyncio.gather(*(keeper.start() for keeper in self.engines), return_exceptions=True)
        for result in results:
            if isinstance(result, EngineError):
                raise CommandError(f"{result}\nRun `penstock doctor` to see what is wrong.")
            if isinstance(result, BaseException):
                raise result

    async def _until_ready(self) -> None:
        waiting = self.processes
        why: dict[str, str] = {}
        try:
            async with asyncio.timeout(self.ready_timeout_s):
                while waiting:
                    await asyncio.sleep(READY_POLL_S)
                    answers = await asyncio.gather(*map(_ready, waiting))
                    why = {process.name: word for process, word in zip(waiting, answers, strict=True) if word}
                    waiting = [process for process in waiting if process.name in why]
        except TimeoutError:
            reasons = "\n".join(f"  {name}: {word}" for name, word in why.items())
            raise CommandError(
                f"Not ready within {self.ready_timeout_s:g} s:\n{reasons}\n"
                "`penstock logs` shows what they say."
            ) from None

    async def _unless_stopped(self, work: Awaitable[T]) -> T:
        """Await something, or let go of it when the fleet is to stop.

        Raises:
            StopRequested: ``stop`` was set first.
        """
        working = asyncio.ensure_future(work)  # noqa: TID251 - awaited below, whatever happens
        stopping = asyncio.ensure_future(self.stop.wait())  # noqa: TID251 - the same
        try:
            await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                return working.result()
            raise StopRequested
        finally:
            stopping.cancel()
            working.cancel()
            await asyncio.gather(working, stopping, return_exceptions=True)

    async def _stop(self) -> None:
        async with asyncio.TaskGroup() as group:
            forcing = group.create_task(self._kill_when_forced())
            for stage in self.stages:
                await asyncio.gather(*(process.stop() for process in stage))
            forcing.cancel()
        results = await asyncio.gather(*(keeper.stop() for keeper in self.engines), return_exceptions=True)
        await self.guard.stop()
        for result in results:
            if isinstance(result, EngineError):
                raise CommandError(str(result))

    async def _kill_when_forced(self) -> None:
        await self.force.wait()
        for process in self.processes:
            process.kill()


async def _ready(process: ManagedProcess) -> str:
    """Say why a process is not ready; empty when it is.

    Raises:
        CommandError: It will never be.
    """
    if process.entry.state == "failed":
        raise CommandError(f"{process.name} cannot start: {process.entry.reason}", exit_code=78)
    if process.entry.restarts > RESTARTS_BEFORE_READY:
        raise CommandError(f"{process.name} keeps ending: {process.entry.reason}")
    if process.entry.state != "running" or process.entry.admin_port is None:
        return f"{process.entry.state}: {process.entry.reason}".strip(": ")
    answer = await readiness(process.entry.admin_port)
    return "" if answer.ready else answer.why or "not ready"
