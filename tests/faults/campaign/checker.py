"""Proves from a history and the evidence that what was promised was kept; each line is one breach."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from math import isinf

from tests.faults.campaign.evidence import EventRow, Evidence, JobRow
from tests.faults.campaign.history import (
    Accepted,
    Began,
    Called,
    Cancelled,
    Followed,
    GivenUp,
    History,
    Killed,
    NotAccepted,
    Recovered,
    Seen,
    Submitted,
    Told,
)
from tests.faults.campaign.work import ENDS, Kind, text_of

FINAL = frozenset({"completed", "failed", "cancelled", "expired", "incomplete"})
CALLS_NEED = frozenset({"ingress", "rabbitmq", "postgres", "postgres backend"})
"""Whose death may fail a synchronous call; that of all others only delays it."""
STREAMS_NEED = CALLS_NEED | {"provider_worker"}
"""Whose death may fail a stream: what its caller has read already cannot be generated once more."""
SUBMISSIONS_NEED = frozenset({"ingress", "postgres", "postgres backend"})
BROKERS_DATA = "rabbitmq data"
"""Starts that are not recorded yet go with it, though their calls were made."""
STANDING_STILL = "stopped worker"
"""What it had begun goes on when it does, whatever the time."""
CANCELLATIONS_NEED = frozenset({"valkey", "rabbitmq", "postgres", "postgres backend"})
"""What carries the word to the workers; the caller is told all the same that the job is cancelled."""
STOPPING_S = 1.0
"""How long a running call may take to be stopped."""
QUEUE_FULL = "queue_full"
"""While a backlog is worked off, who would come too late is told so; nothing of it is kept."""
SETTLING_S = 5.0
"""How long after a recovery its clients may still be reconnecting."""


def check(history: History, evidence: Evidence) -> list[str]:
    """Apply every rule; nothing is wrong if nothing is returned."""
    return [breach for rule in RULES for breach in rule(history, evidence)]


def every_accepted_job_exists(history: History, evidence: Evidence) -> Iterator[str]:
    known = {job.id: job for job in evidence.jobs}
    for accepted in history.of(Accepted):
        if accepted.job_id not in known:
            yield f"{accepted.job_id} ({accepted.key}) got its 202 and is lost"
        elif known[accepted.job_id].key != accepted.key:
            yield f"{accepted.job_id} is not the job of {accepted.key}"


def every_job_has_ended(_: History, evidence: Evidence) -> Iterator[str]:
    for job in evidence.jobs:
        if job.status not in FINAL:
            yield f"{job.id} ({job.key}) is still {job.status}"
    for job_id in evidence.outbox:
        yield f"{job_id} is still in the outbox"


def every_job_ended_as_its_kind_may(history: History, evidence: Evidence) -> Iterator[str]:
    kinds = {submitted.key: submitted.kind for submitted in history.of(Submitted)}
    for job in evidence.jobs:
        if job.key is not None and job.status in FINAL and job.status not in ENDS[kinds[job.key]]:
            yield f"{job.id} ({job.key}) is {job.status} ({job.failure}), which {kinds[job.key]} may not be"


def no_submission_makes_two_jobs(_: History, evidence: Evidence) -> Iterator[str]:
    for key, count in Counter(job.key for job in evidence.jobs if job.key is not None).items():
        if count > 1:
            yield f"{key} was submitted once and is {count} jobs"


def events_are_numbered_without_gaps(_: History, evidence: Evidence) -> Iterator[str]:
    events = _events_by_job(evidence)
    for job in evidence.jobs:
        if not job.background:
            continue
        sequences = [event.sequence for event in events[job.id]]
        if sequences != list(range(1, job.last_event + 1)):
            yield f"{job.id} ({job.key}) has events {sequences}, and its last is said to be {job.last_event}"


def every_job_has_one_terminal_event_and_it_is_the_last(_: History, evidence: Evidence) -> Iterator[str]:
    events = _events_by_job(evidence)
    for job in evidence.jobs:
        if not job.background or job.status not in FINAL:
            continue
        types = [event.type for event in events[job.id]]
        terminal = [kind for kind in types if kind.removeprefix("job.") in FINAL]
        if terminal != [f"job.{job.status}"] or types[-1] != terminal[0]:
            yield f"{job.id} ({job.key}) is {job.status}, and its events are {types}"


def no_end_ever_changed(history: History, evidence: Evidence) -> Iterator[str]:
    ends = {job.id: (job.status, job.finished_at, job.last_event) for job in evidence.jobs}
    for seen in history.of(Seen):
        if seen.status not in FINAL:
            continue
        end = ends.get(seen.job_id)
        if end is not None and end != (seen.status, seen.finished_at, seen.last_event):
            yield f"{seen.job_id} was seen as {seen.status} at {seen.at} ({seen}), and is {end}"


def a_cancellation_that_was_confirmed_holds(history: History, evidence: Evidence) -> Iterator[str]:
    known = {job.id: job for job in evidence.jobs}
    for cancelled in history.of(Cancelled):
        job = known.get(cancelled.job_id)
        if job is not None and cancelled.status == 200 and job.status != "cancelled":
            yield f"{job.id} was cancelled with 200 and is {job.status}"


def what_completed_says_what_was_asked(_: History, evidence: Evidence) -> Iterator[str]:
    events = _events_by_job(evidence)
    for job in evidence.jobs:
        if job.status != "completed" or job.key is None:
            continue
        if _content(job) != text_of(job.key):
            yield f"{job.id} ({job.key}) has another result: {job.result}"
        if job.key.startswith(Kind.STREAMED) and _streamed(events[job.id]) != text_of(job.key):
            yield f"{job.id} ({job.key}) streamed something else: {_streamed(events[job.id])}"


def whoever_follows_reads_every_event_once(history: History, evidence: Evidence) -> Iterator[str]:
    last = {job.id: job.last_event for job in evidence.jobs}
    for followed in history.of(Followed):
        if list(followed.sequences) != list(range(1, last.get(followed.job_id, 0) + 1)):
            yield f"{followed.job_id} was followed as {followed.sequences}"


def nothing_completes_without_a_call(_: History, evidence: Evidence) -> Iterator[str]:
    for job in evidence.jobs:
        if job.key is None:
            continue
        if job.status == "completed" and evidence.calls(job.key) < 1:
            yield f"{job.id} ({job.key}) completed without a call of its provider"


def the_provider_is_called_no_more_than_is_recorded(history: History, evidence: Evidence) -> Iterator[str]:
    """Every start is announced before its call, and recorded whenever word of it comes."""
    if any(killed.victim == BROKERS_DATA for killed in history.of(Killed)):
        return
    for job in evidence.jobs:
        if job.key is None:
            continue
        calls = evidence.calls(job.key)
        recorded = min(job.starts, job.attempt + job.ambiguous_attempts)
        if calls > recorded:
            yield f"{job.id} ({job.key}) was called {calls} times, and {recorded} are recorded"


def no_call_goes_on_after_a_confirmed_cancellation(history: History, evidence: Evidence) -> Iterator[str]:
    jobs = {job.id: job for job in evidence.jobs}
    for cancelled in history.of(Cancelled):
        job = jobs.get(cancelled.job_id)
        if job is None or job.key is None or cancelled.status != 200:
            continue
        for began, ended in _spans(history, evidence, job.key):
            if ended > cancelled.at + STOPPING_S and not _outage(
                history, CANCELLATIONS_NEED, cancelled.at, ended
            ):
                yield (
                    f"{job.id} ({job.key}) was cancelled at {cancelled.at}, and its provider was called "
                    f"from {began:.3f} to {ended:.3f}"
                )


def no_call_goes_on_after_the_deadline(history: History, evidence: Evidence) -> Iterator[str]:
    for job in evidence.jobs:
        if job.key is None:
            continue
        deadline = job.deadline_at - _epoch(history)
        for began, ended in _spans(history, evidence, job.key):
            if isinf(ended) and deadline > history.last_at:
                continue  # a later start's, whose job has its end, and time left
            if ended > deadline + STOPPING_S and not _outage(
                history, frozenset({STANDING_STILL}), deadline, ended
            ):
                yield (
                    f"{job.id} ({job.key}) had its deadline at {deadline:.3f}, and its provider was called "
                    f"from {began:.3f} to {ended:.3f}"
                )


def every_end_is_told(history: History, evidence: Evidence) -> Iterator[str]:
    """At least once, each as it is."""
    told = {(told.job_id, told.event) for told in history.of(Told)}
    for job in evidence.jobs:
        if job.webhook and job.status in FINAL and (job.id, f"job.{job.status}") not in told:
            yield f"{job.id} ({job.key}) is {job.status}, and its webhook was never told"
    for message_id in evidence.untold:
        yield f"{message_id} is still to be delivered, or was given up"


def nothing_else_is_told(history: History, evidence: Evidence) -> Iterator[str]:
    ends = {job.id: f"job.{job.status}" for job in evidence.jobs if job.webhook}
    for told in history.of(Told):
        if ends.get(told.job_id) != told.event:
            yield f"{told.message_id} says {told.event} of {told.job_id}, which is {ends.get(told.job_id)}"


def every_delivery_of_an_event_has_the_same_id(history: History, _: Evidence) -> Iterator[str]:
    ids: dict[tuple[str, str], set[str]] = defaultdict(set)
    events: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for told in history.of(Told):
        ids[told.job_id, told.event].add(told.message_id)
        events[told.message_id].add((told.job_id, told.event))
    for (job_id, event), found in ids.items():
        if len(found) > 1:
            yield f"{event} of {job_id} was told under several ids: {sorted(found)}"
    for message_id, told_of in events.items():
        if len(told_of) > 1:
            yield f"{message_id} was told of several events: {sorted(told_of)}"


def clients_come_to_their_end(history: History, _: Evidence) -> Iterator[str]:
    for given_up in history.of(GivenUp):
        yield f"some client still waited for its job, its events or its answer after {given_up.after_s:.0f} s"


def calls_end_in_time_and_honestly(history: History, _: Evidence) -> Iterator[str]:
    for call in history.of(Called):
        needs = STREAMS_NEED if call.streamed else CALLS_NEED
        if call.outcome in ("late", "wrong"):
            yield f"a call is {call.outcome}: {call}"
        elif call.outcome == "broken":
            needs = frozenset({"ingress"})
        if QUEUE_FULL in call.detail:
            continue
        if call.outcome in ("broken", "error") and not _outage(history, needs, call.began, call.at):
            yield f"a call failed though nothing that it needs was away: {call}"


def every_answered_call_is_recorded(history: History, evidence: Evidence) -> Iterator[str]:
    recorded = {job.id for job in evidence.jobs if job.status == "completed"}
    for call in history.of(Called):
        if call.job_id and call.job_id not in recorded:
            yield f"a call was answered and is not recorded as completed: {call}"


def submissions_fail_only_with_what_they_need(history: History, _: Evidence) -> Iterator[str]:
    for refused in history.of(NotAccepted):
        if refused.status == 429 and QUEUE_FULL in refused.reason:
            continue
        if refused.status not in (0, 503):
            yield f"a submission was answered with {refused.status}: {refused}"
        elif not _outage(
            history, SUBMISSIONS_NEED if refused.status else frozenset({"ingress"}), refused.began, refused.at
        ):
            yield f"a submission failed though nothing that it needs was away: {refused}"


def everybody_killed_came_back(history: History, _: Evidence) -> Iterator[str]:
    killed = Counter(entry.victim for entry in history.of(Killed))
    back = Counter(entry.victim for entry in history.of(Recovered))
    for victim, count in (killed - back).items():
        yield f"{victim} was killed {killed[victim]} times and came back {killed[victim] - count} times"


Rule = Callable[[History, Evidence], Iterator[str]]
RULES: Sequence[Rule] = (
    every_accepted_job_exists,
    every_job_has_ended,
    every_job_ended_as_its_kind_may,
    no_submission_makes_two_jobs,
    events_are_numbered_without_gaps,
    every_job_has_one_terminal_event_and_it_is_the_last,
    no_end_ever_changed,
    a_cancellation_that_was_confirmed_holds,
    what_completed_says_what_was_asked,
    whoever_follows_reads_every_event_once,
    nothing_completes_without_a_call,
    the_provider_is_called_no_more_than_is_recorded,
    no_call_goes_on_after_a_confirmed_cancellation,
    no_call_goes_on_after_the_deadline,
    every_end_is_told,
    nothing_else_is_told,
    every_delivery_of_an_event_has_the_same_id,
    clients_come_to_their_end,
    calls_end_in_time_and_honestly,
    every_answered_call_is_recorded,
    submissions_fail_only_with_what_they_need,
    everybody_killed_came_back,
)


def _epoch(history: History) -> float:
    """When the history's clock began, in seconds since 1970."""
    return next((began.epoch for began in history.of(Began)), 0.0)


def _spans(history: History, evidence: Evidence, key: str) -> Iterator[tuple[float, float]]:
    """Say when calls began and ended, by the history's clock; one that never ended goes on for ever."""
    epoch = _epoch(history)
    for began, ended in evidence.spans.get(key, ()):
        yield began - epoch, float("inf") if ended is None else ended - epoch


def _events_by_job(evidence: Evidence) -> dict[str, list[EventRow]]:
    events: dict[str, list[EventRow]] = defaultdict(list)
    for event in evidence.events:
        events[event.job_id].append(event)
    return events


def _content(job: JobRow) -> str:
    return str(json.loads(job.result or "{}")["choices"][0]["message"]["content"])


def _streamed(events: Sequence[EventRow]) -> str:
    """Join the chunks since the last start."""
    text = ""
    for event in events:
        if event.type in ("job.in_progress", "job.retrying"):
            text = ""
        elif event.type == "job.delta":
            for chunk in json.loads(event.data)["chunks"]:
                text += "".join(choice["delta"].get("content") or "" for choice in chunk["choices"])
    return text


def _outage(history: History, of: frozenset[str], began: float, ended: float) -> bool:
    """Whether any of these was away, or its clients reconnecting, at some time between the two."""
    back = defaultdict(list)
    for entry in history.of(Recovered):
        back[entry.victim].append(entry.at)
    for killed in history.of(Killed):
        if killed.victim in of:
            until = min((at for at in back[killed.victim] if at > killed.at), default=float("inf"))
            if killed.at <= ended and began <= until + SETTLING_S:
                return True
    return False
