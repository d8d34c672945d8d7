"""What is asked: the same question through the fleet and of the simulator itself."""

import json
from dataclasses import dataclass
from typing import Any

from tests.benchmarks.load.target import Target

HOST = "127.0.0.1"
CHAT = {
    "messages": [{"role": "user", "content": "Tell me of rivers, and of what they drive, in a few words."}],
    "temperature": 0.2,
}
CHAT_BODY = json.dumps({"model": "echo", **CHAT}).encode()


def numbered(tokens: int) -> str:
    """What to send the model ``echo`` so that its tokens are the numbers from 1."""
    return " ".join(str(number) for number in range(1, tokens + 1))


@dataclass(frozen=True)
class Requests:
    """Builds requests for one fleet and for its simulator.

    Args:
        port: Of the fleet.
        api_key: Of the fleet.
        simulator_port: Where the simulator answers directly.
        provider: The simulator's name in the fleet's configuration.
    """

    port: int
    api_key: str
    simulator_port: int
    provider: str = "simulator"

    def direct(self, **fields: Any) -> Target:
        """The call that the fleet makes, made without it: the yardstick."""
        body = {"model": "echo", **CHAT, **fields}
        return Target(HOST, self.simulator_port, "/v1/chat/completions", json.dumps(body).encode())

    def chat(self, **fields: Any) -> Target:
        body = self._via_fleet(fields)
        return Target(HOST, self.port, "/v1/chat/completions", json.dumps(body).encode(), self._key())

    def job(self, *, lane: str = "standard", **fields: Any) -> Target:
        body = {"operation": "chat", "lane": lane, "input": self._via_fleet(fields)}
        return Target(HOST, self.port, "/v1/jobs", json.dumps(body).encode(), self._key(), 202)

    def _via_fleet(self, fields: dict[str, Any]) -> dict[str, Any]:
        return {"model": f"{self.provider}/echo", **CHAT, **fields}

    def _key(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.api_key}"}
