"""Who a key belongs to: PostgreSQL is the truth, a small cache keeps it off the hot path."""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import asyncpg
from pydantic import SecretStr

from services.ingress.adapters.patience import database_patience
from services.ingress.domain.principal import Principal
from shared.errors import AuthenticationError, DatabaseUnavailableError
from shared.security.api_keys import KeyRole, parse, verify
from shared.storage.postgres import Database

UNKNOWN_S = 5.0
"""How long a key stays refused after it was looked up and found unknown."""
ASK_AGAIN_S = 2.0
"""Pause between look-ups of one key while PostgreSQL is down and the old answer still serves."""
HESITATION_S = 0.25
"""How long a request waits for a look-up before it makes do with the old answer."""


@dataclass(slots=True)
class _Known:
    principal: Principal | None
    fresh_until: float
    stale_until: float


class _Bounded(OrderedDict[bytes, _Known]):
    """Forgets what was not used for longest."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size = size

    def recall(self, digest: bytes) -> _Known | None:
        known = self.get(digest)
        if known is not None:
            self.move_to_end(digest)
        return known

    def keep(self, digest: bytes, known: _Known) -> None:
        self[digest] = known
        self.move_to_end(digest)
        if len(self) > self._size:
            self.popitem(last=False)


class ApiKeys:
    """Checks keys, and remembers what it found under a digest of the whole key.

    Refused keys are remembered apart, so that guessing does not push out those in use. Whoever asks for
    one key at the same time shares one look-up.

    Args:
        database: As ``penstock_app``.
        pepper: Of the fleet's keys.
        tasks: Holds the look-ups, so that they outlive a caller that leaves.
        fresh_s: How long an accepted key is believed.
        stale_s: How much longer it is while PostgreSQL is down.
        size: Keys that are remembered of each kind.
        clock: Monotonic, in seconds.
    """

    def __init__(
        self,
        database: Database,
        pepper: SecretStr,
        tasks: asyncio.TaskGroup,
        *,
        fresh_s: float,
        stale_s: float,
        size: int,
        clock: Callable[[], float],
    ) -> None:
        self._database = database
        self._pepper = pepper
        self._tasks = tasks
        self._fresh_s = fresh_s
        self._stale_s = stale_s
        self._clock = clock
        self._accepted = _Bounded(size)
        self._refused = _Bounded(size)
        self._asking: dict[bytes, asyncio.Task[_Known | DatabaseUnavailableError]] = {}

    async def authenticate(self, key: str) -> Principal:
        """Return who the key belongs to.

        Raises:
            AuthenticationError: Unknown, revoked or malformed.
            DatabaseUnavailableError: It cannot be checked now and was not checked lately.
        """
        digest = hashlib.sha256(key.encode()).digest()
        now = self._clock()
        known = self._accepted.recall(digest) or self._refused.recall(digest)
        if known is None or now >= known.fresh_until:
            known = await self._ask(key, digest, known)
        if known.principal is None:
            raise AuthenticationError("Incorrect API key provided.")
        return known.principal

    async def _ask(self, key: str, digest: bytes, known: _Known | None) -> _Known:
        key_id, secret = parse(key)
        asking = self._asking.get(digest)
        if asking is None:
            asking = self._tasks.create_task(self._look_up(digest, key_id, secret))
            self._asking[digest] = asking
        usable = known is not None and known.principal is not None and self._clock() < known.stale_until
        await asyncio.wait([asking], timeout=HESITATION_S if usable else None)
        if asking.done() and isinstance(found := asking.result(), _Known):
            return found
        if known is None or not usable:
            raise DatabaseUnavailableError("PostgreSQL does not answer, so the API key cannot be checked.")
        known.fresh_until = self._clock() + ASK_AGAIN_S
        return known

    async def _look_up(self, digest: bytes, key_id: str, secret: str) -> _Known | DatabaseUnavailableError:
        try:
            async with database_patience(), self._database.transaction() as connection:
                row = await connection.fetchrow(
                    "SELECT id, tenant_id, digest, role FROM api_key_for_authentication($1)", key_id
                )
        except DatabaseUnavailableError as error:
            return error
        except asyncpg.PostgresError as error:  # e.g. before the migration; no reason to end the process
            return DatabaseUnavailableError(f"PostgreSQL cannot look up a key ({error.sqlstate}).")
        finally:
            del self._asking[digest]
        now = self._clock()
        if row is not None and verify(secret, row["digest"], self._pepper):
            fresh_until = now + self._fresh_s
            principal = Principal(row["tenant_id"], row["id"], KeyRole(row["role"]))
            known = _Known(principal, fresh_until, fresh_until + self._stale_s)
            self._refused.pop(digest, None)
            self._accepted.keep(digest, known)
            return known
        known = _Known(None, now + UNKNOWN_S, now + UNKNOWN_S)
        self._accepted.pop(digest, None)
        self._refused.keep(digest, known)
        return known
