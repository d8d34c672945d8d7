"""One delivery, as a line for its reader."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

SHORT = 160
"""Characters of a stranger's text that a line shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """What came, and whether it is what the fleet sent."""

    at: datetime
    headers: Mapping[str, str]
    body: bytes
    objection: str = ""
    """Why the signature is not believed; empty when it is right."""
    forwarded: str = ""
    """What became of it behind; empty where it goes nowhere."""

    @property
    def message_id(self) -> str:
        """The ``webhook-id``, the same for each try of one delivery."""
        return self.headers.get("webhook-id", "")

    def line(self) -> str:
        """Spell it for a person."""
        word = f"NOT VERIFIED: {self.objection}" if self.objection else "verified"
        behind = f"  -> {self.forwarded}" if self.forwarded else ""
        kind, name = _short(self._type()), _short(self.message_id)
        return (
            f"{self.at.astimezone():%H:%M:%S}  {kind:<22}  {name}  {word}{behind}  {_short(self._matter())}"
        )

    def record(self) -> str:
        """Spell it as one line of JSON."""
        content = self._content()
        return json.dumps(
            {
                "time": self.at.isoformat(),
                "type": self._type(),
                "id": self.message_id,
                "verified": not self.objection,
                "objection": self.objection or None,
                "forwarded": self.forwarded or None,
                "body": content if content is not None else self.body.decode(errors="replace"),
            }
        )

    def _matter(self) -> str:
        """Return what the event is about: its envelope is on the line already."""
        content = self._content()
        if isinstance(content, dict) and "data" in content:
            return json.dumps(content["data"], ensure_ascii=False, separators=(",", ":"))
        return self.body.decode(errors="replace")

    def _content(self) -> Any:
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    def _type(self) -> str:
        content = self._content()
        return str(content.get("type", "?")) if isinstance(content, dict) else "?"


def _short(text: str) -> str:
    """Cut a stranger's text to one line, without what a terminal would act upon."""
    text = "".join(character if character.isprintable() else " " for character in text)
    return text if len(text) <= SHORT else text[: SHORT - 1] + "…"
