"""The kinds of jobs that a campaign submits, and how each may end."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from tests.faults.campaign.chance import Chance

ATTEMPTS = 10


class Kind(StrEnum):
    """What a job asks of the simulator."""

    PLAIN = "plain"
    STREAMED = "streamed"
    FLAKY = "flaky"
    """Its provider fails once or twice, retryably."""
    DOOMED = "doomed"
    """Its provider refuses it."""
    HUNG = "hung"
    """Its provider never answers, and its deadline is near."""
    CUT = "cut"
    """Its stream breaks after the first chunks."""
    CANCELLED = "cancelled"
    """Its caller cancels it, perhaps too late."""
    HURRIED = "hurried"
    """Its deadline is so near that it may not have begun by then, or not have ended."""


ENDS: Mapping[Kind, frozenset[str]] = {
    Kind.PLAIN: frozenset({"completed"}),
    Kind.STREAMED: frozenset({"completed"}),
    Kind.FLAKY: frozenset({"completed"}),
    Kind.DOOMED: frozenset({"failed"}),
    Kind.HUNG: frozenset({"expired"}),
    Kind.CUT: frozenset({"incomplete"}),
    Kind.CANCELLED: frozenset({"cancelled", "completed"}),
    Kind.HURRIED: frozenset({"expired", "completed"}),
}
_SHARES: Mapping[Kind, int] = {
    Kind.PLAIN: 8,
    Kind.STREAMED: 5,
    Kind.FLAKY: 3,
    Kind.DOOMED: 1,
    Kind.HUNG: 1,
    Kind.CUT: 1,
    Kind.CANCELLED: 2,
    Kind.HURRIED: 2,
}
LANES = ("interactive", "standard", "standard", "batch")


def any_kind(rng: Chance) -> Kind:
    """Draw a kind of job."""
    (kind,) = rng.choices(list(_SHARES), list(_SHARES.values()))
    return kind


def text_of(key: str) -> str:
    """Return what the job of a key has the model say: long enough for a stream of several events."""
    return " ".join(f"{key}:{number}" for number in range(30))


def submission(
    kind: Kind,
    key: str,
    rng: Chance,
    *,
    lane: str | None = None,
    delay_ms: int | None = None,
    webhook: str | None = None,
) -> dict[str, Any]:
    """Write the body of ``POST /v1/jobs``; lane and delay are random unless they are given."""
    if delay_ms is None:
        delay_ms = rng.choice((0, 20, 200, 1500))
    simulator: dict[str, Any] = {"key": key, "delay_ms": delay_ms}
    chat: dict[str, Any] = {
        "model": "simulator/echo",
        "messages": [{"role": "user", "content": text_of(key)}],
        "simulator": simulator,
    }
    job: dict[str, Any] = {
        "operation": "chat",
        "lane": lane or rng.choice(LANES),
        "max_attempts": ATTEMPTS,
        "metadata": {"key": key},
        "webhook": webhook,
        "input": chat,
    }
    match kind:
        case Kind.STREAMED:
            chat["stream"] = True
            simulator["tokens_per_s"] = rng.choice((20, 60, 300))
        case Kind.FLAKY:
            simulator |= {"fail_times": rng.randint(1, 2), "status": rng.choice((429, 500, 503))}
        case Kind.DOOMED:
            simulator["status"] = 400
        case Kind.HUNG:
            simulator["hang"] = True
            job["deadline"] = rng.uniform(2, 5)
        case Kind.CUT:
            chat["stream"] = True
            simulator |= {"cut_after_chunks": 3, "tokens_per_s": 60}
        case Kind.CANCELLED:
            simulator["delay_ms"] = 3000
        case Kind.HURRIED:
            job["deadline"] = rng.uniform(0.05, 2)
    return job
