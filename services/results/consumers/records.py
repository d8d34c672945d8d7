"""The records that messages of the results queue carry: one each, or several."""

from services.results.domain.lifecycle import JobMessage
from shared.contracts.jobs import JobDeferred, JobDelta, JobFinished, JobsHeld, JobStarted
from shared.contracts.records import JobRecords
from shared.errors import MalformedMessageError
from shared.messaging.broker import Message

Record = tuple[str, bytes]
"""Name and version of a contract, and the bytes of one message of it."""

_CONTRACTS: dict[str, type[JobMessage | JobsHeld]] = {
    contract.message_type: contract for contract in (JobStarted, JobsHeld, JobDelta, JobDeferred, JobFinished)
}


def records_of(message: Message) -> list[Record]:
    """Take a message apart, in the order in which its records were sent.

    Raises:
        MalformedMessageError: It is said to hold several, and cannot be taken apart.
    """
    if message.type != JobRecords.message_type:
        return [(message.type, message.body)]
    gathered = JobRecords.decode(message.body)
    return [(gathered.record_type, record) for record in gathered.split()]


def decode(record: Record) -> JobMessage | JobsHeld:
    """Read one record.

    Raises:
        MalformedMessageError: Its type is unknown, or its content does not fit the type.
    """
    name, body = record
    contract = _CONTRACTS.get(name)
    if contract is None:
        raise MalformedMessageError(f"the results queue has no use for the type {name[:80]!r}")
    decoded = contract.decode(body)
    if isinstance(decoded, JobFinished) and not decoded.status.final:
        raise MalformedMessageError(f"a job does not end as {decoded.status.value!r}")
    return decoded
