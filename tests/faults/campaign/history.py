"""What happened, as those who were outside of the fleet saw it: one JSON line for each entry."""

import time
from collections import defaultdict
from pathlib import Path
from typing import Annotated, Literal, TypeVar, cast

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from tests.faults.campaign.work import Kind


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True)

    at: float = 0.0
    """Seconds since the campaign began; of what lasts, when it ended."""


class Began(_Entry):
    """What the other clocks said when this one began: ``at`` 0 was ``epoch`` seconds after 1970."""

    type: Literal["began"] = "began"
    epoch: float


class Submitted(_Entry):
    """A client is about to send a job; without another word its outcome is unknown."""

    type: Literal["submitted"] = "submitted"
    key: str
    kind: Kind


class Accepted(_Entry):
    """The client got its 202."""

    type: Literal["accepted"] = "accepted"
    key: str
    job_id: str


class NotAccepted(_Entry):
    """The client got another answer, or none (status 0)."""

    type: Literal["not_accepted"] = "not_accepted"
    key: str
    began: float
    status: int
    reason: str


class Cancelled(_Entry):
    """The client asked for a cancellation; 0: it got no answer."""

    type: Literal["cancelled"] = "cancelled"
    job_id: str
    status: int


class Seen(_Entry):
    """A client looked at its job."""

    type: Literal["seen"] = "seen"
    job_id: str
    status: str
    finished_at: int | None
    last_event: int


class Followed(_Entry):
    """The numbers of the events that one client was sent, over all its connections, to the stream's end."""

    type: Literal["followed"] = "followed"
    job_id: str
    sequences: tuple[int, ...]


class Told(_Entry):
    """A delivery of a webhook has come, and was taken."""

    type: Literal["told"] = "told"
    message_id: str
    """Its ``webhook-id``."""
    event: str
    job_id: str


Outcome = Literal["answered", "error", "broken", "late", "wrong"]
"""As asked for; an honest error; a connection that broke; no end in time; anything else."""


class Called(_Entry):
    """A synchronous call or a stream has come to its end."""

    type: Literal["called"] = "called"
    streamed: bool
    began: float
    outcome: Outcome
    detail: str = ""
    job_id: str = ""
    """Under which it is recorded, if its answer said so."""


class GivenUp(_Entry):
    """Clients were cut off because they had not all come to their end in time."""

    type: Literal["given_up"] = "given_up"
    after_s: float


class Killed(_Entry):
    """A process got SIGKILL."""

    type: Literal["killed"] = "killed"
    victim: str
    pid: int


class Recovered(_Entry):
    """What was killed works again."""

    type: Literal["recovered"] = "recovered"
    victim: str
    after_s: float


Entry = (
    Began
    | Submitted
    | Accepted
    | NotAccepted
    | Cancelled
    | Seen
    | Followed
    | Told
    | Called
    | GivenUp
    | Killed
    | Recovered
)
_LINE: TypeAdapter[Entry] = TypeAdapter(Annotated[Entry, Field(discriminator="type")])
E_ = TypeVar("E_", bound=_Entry)


class History:
    """Entries, those of a type in the order in which they were recorded.

    Args:
        path: Also written there, line by line, so that a campaign that ends badly leaves it behind.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._entries: dict[type[_Entry], list[Entry]] = defaultdict(list)
        self._file = None if path is None else path.open("a", buffering=1)
        self._began = time.monotonic()
        self._epoch = time.time()

    def now(self) -> float:
        """Seconds since the campaign began."""
        return time.monotonic() - self._began

    def begin(self) -> None:
        """Write down when that was, as other clocks have it."""
        self.record(Began(at=1e-9, epoch=self._epoch))

    def record(self, entry: Entry) -> None:
        """Add an entry, and stamp it unless it has its time."""
        if not entry.at:
            entry = entry.model_copy(update={"at": round(self.now(), 4)})
        self._entries[type(entry)].append(entry)
        if self._file is not None:
            self._file.write(entry.model_dump_json() + "\n")

    @property
    def last_at(self) -> float:
        """When the last thing happened, in seconds since the campaign began."""
        return max((entries[-1].at for entries in self._entries.values() if entries), default=0.0)

    def of(self, kind: type[E_]) -> list[E_]:
        """Return the entries of one type."""
        return cast("list[E_]", self._entries[kind])

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    @classmethod
    def read(cls, path: Path) -> "History":
        """Read what another campaign left behind."""
        history = cls()
        for line in path.read_text().splitlines():
            history.record(_LINE.validate_json(line))
        return history
