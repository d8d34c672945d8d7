"""The callers, a process of their own: a line of JSON in says who waits for what, lines of JSON out say how.

``{"waiting": n}`` once all wait, then, when every job has its end, how each waiter was answered.
"""

import asyncio
import json
import sys
from collections import Counter
from itertools import islice

import uvloop

from shared.runtime.open_files import allow_many_connections
from tests.benchmarks.watchers.waiting import KINDS, Follower, Poller, Waiter

AT_ONCE = 200


async def wait_for_all(
    *, host: str, port: int, key: str, kind: str, paths: list[str], limit_s: float
) -> None:
    """Connect in portions, so that none is turned away, and wait for every job."""
    loop = asyncio.get_running_loop()
    headers = f"Host: {host}:{port}\r\nAuthorization: Bearer {key}\r\n"
    waiters: list[Waiter] = []
    rest = iter(paths)
    while portion := list(islice(rest, AT_ONCE)):
        made = [KINDS[kind](path, headers) for path in portion]
        await asyncio.gather(*(loop.create_connection(lambda w=waiter: w, host, port) for waiter in made))
        await asyncio.gather(*(waiter.answered for waiter in made))
        waiters += made
    print(json.dumps({"waiting": sum(not waiter.settled.done() for waiter in waiters)}), flush=True)
    ends = Counter(await asyncio.gather(*(_end_of(waiter, limit_s) for waiter in waiters)))
    comments = sum(waiter.comments for waiter in waiters if isinstance(waiter, Follower))
    turned_away = sum(waiter.turned_away for waiter in waiters if isinstance(waiter, Poller))
    print(json.dumps({"ends": ends, "comments": comments, "turned_away": turned_away}), flush=True)


async def _end_of(waiter: Waiter, limit_s: float) -> str:
    done, _ = await asyncio.wait([waiter.settled], timeout=limit_s)
    return waiter.settled.result() if done else "no word"


def main() -> None:
    """Read what to do and do it."""
    allow_many_connections()
    uvloop.run(wait_for_all(**json.loads(sys.stdin.readline())))


if __name__ == "__main__":
    main()
