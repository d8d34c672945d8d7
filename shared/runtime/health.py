"""Health: each dependency by name, asked when somebody asks."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from shared.errors import PenstockError

Check = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Health:
    """The dependencies of one service."""

    required: Mapping[str, Check] = field(default_factory=dict)
    """Without these the service cannot do its work: it is not ready."""
    optional: Mapping[str, Check] = field(default_factory=dict)
    """Without these it works with less: degraded, but ready."""
    timeout_s: float = 1.0

    async def report(self) -> tuple[bool, dict[str, str]]:
        """Ask every dependency at once; bounded by ``timeout_s``.

        Returns:
            Whether the service is ready, and a word for each dependency: ``ok`` or what is wrong.
        """
        checks = {**self.required, **self.optional}
        answers = await asyncio.gather(*(self._ask(check) for check in checks.values()))
        words = dict(zip(checks, answers, strict=True))
        return all(words[name] == "ok" for name in self.required), words

    async def _ask(self, check: Check) -> str:
        try:
            async with asyncio.timeout(self.timeout_s):
                await check()
        except TimeoutError:
            return f"no answer within {self.timeout_s:g} s"
        except PenstockError as error:
            return error.message
        except (OSError, ConnectionError) as error:
            return f"unreachable: {type(error).__name__}"
        except Exception as error:  # noqa: BLE001 - a client's own error is a report about the dependency
            return f"check failed: {type(error).__name__}"
        return "ok"
