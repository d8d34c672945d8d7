"""Named moments between two steps of a job's life, at which a fault test lets a process die.

Nothing happens in a process whose settings name no ``crash_points_dir``. Where they do, a file of that folder
named like a point kills the process that next comes to that point (SIGKILL, as if the machine had failed);
the file is gone by then, so that the process started in its place lives. A number in the file says at which
of the following times that happens.
"""

import os
import signal
from enum import StrEnum
from pathlib import Path


class CrashPoint(StrEnum):
    """What has been done when the process dies; what comes next has not."""

    SUBMIT_COMMITTED = "submit.committed"
    """Ingress: the job is durable; nobody got a 202, and it is on no queue."""
    PUBLISH_CONFIRMED = "publish.confirmed"
    """Ingress: the broker has it; the outbox does not say so."""
    PUBLISH_MARKED = "publish.marked"
    """Ingress: the outbox says so."""
    SWEEP_CLAIMED = "sweep.claimed"
    """Scheduler: what is due was taken to be published."""
    SWEEP_CONFIRMED = "sweep.confirmed"
    """Scheduler: the broker has it; the outbox does not say so."""
    CLAIM_RECEIVED = "claim.received"
    """Worker: it has the delivery."""
    CLAIM_GRANTED = "claim.granted"
    """Worker: it claimed the job; nobody knows of a start."""
    CALL_ANNOUNCED = "call.announced"
    """Worker: the start is confirmed; the provider is not called."""
    CALL_ANSWERED = "call.answered"
    """Worker: the provider has answered; nobody else knows."""
    RESULT_CONFIRMED = "result.confirmed"
    """Worker: the end or the deferral is confirmed; the delivery is not acknowledged."""
    RECORD_RECEIVED = "record.received"
    """Results: it has a batch."""
    BILL_STARTED = "bill.started"
    """Results: starts, events and what deferred calls used are written, and not committed."""
    BILL_ADDED = "bill.added"
    """Results: ends, and what their calls used, are written, and not committed."""
    RECORD_COMMITTED = "record.committed"
    """Results: all of it is committed; nobody was told."""
    RECORD_ANNOUNCED = "record.announced"
    """Results: who waits was told; the batch is not acknowledged."""
    CANCEL_COMMITTED = "cancel.committed"
    """Ingress: the job is cancelled; no worker knows, and the caller has no answer."""
    CANCEL_TOLD = "cancel.told"
    """Ingress: the workers know; the caller has no answer."""
    EXPIRE_COMMITTED = "expire.committed"
    """Scheduler: jobs are expired; no worker was told."""
    DELIVER_CLAIMED = "deliver.claimed"
    """Webhook delivery: it has claimed deliveries; nothing is sent."""
    DELIVER_SENT = "deliver.sent"
    """Webhook delivery: the receiver has said that all is well; nobody else knows."""
    DELIVER_RECORDED = "deliver.recorded"
    """Webhook delivery: what became of deliveries is committed; those who made them are not told."""


class CrashPoints:
    """The points of one process; off until :meth:`arm`."""

    def __init__(self) -> None:
        self._folder: Path | None = None

    def arm(self, folder: Path) -> None:
        """Look into a folder at every point from now on."""
        self._folder = folder

    def reach(self, point: CrashPoint) -> None:
        """Say that the process has come to a point; returns unless it is to die there."""
        if self._folder is not None:
            _die_if_told(self._folder / point)


def _die_if_told(order: Path) -> None:
    try:
        times = int(order.read_text() or 1)
    except FileNotFoundError:
        return
    if times > 1:
        order.write_text(str(times - 1))
        return
    order.unlink()
    os.kill(os.getpid(), signal.SIGKILL)


crash_points = CrashPoints()
"""Of this process: it is the process that dies."""
