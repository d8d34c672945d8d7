"""Whether the requests of a batch can wait for a provider's own batch API, and until when."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.scheduler.domain.batch import Batch
from shared.config.providers import ProviderBatch
from shared.contracts.ids import created_at
from shared.contracts.jobs import Operation
from shared.contracts.provider_batches import InputPart

NOT_TAKEN = (Operation.IMAGE,)
"""What providers' batch APIs do not take everywhere."""


@dataclass(frozen=True, slots=True)
class Slack:
    """The time that a batch has, and the bounds of what one batch of the provider holds."""

    recall_at: datetime
    """Then the provider has to stop."""
    live_at: datetime
    """Then what it has not answered is called live."""
    max_requests: int
    max_bytes: int


@dataclass(frozen=True, slots=True)
class SlackPart:
    """Requests on their way to a provider's batch: written down, not yet jobs."""

    slack: Slack
    part: InputPart


SlackRule = Callable[[Batch, datetime], Slack | None]
"""Says what slack a batch has at a moment; None where its requests are to be called live."""


def no_slack(_batch: Batch, _now: datetime) -> None:
    """Call everything live: the rule where nobody chose otherwise."""


def slack_of(batch: Batch, now: datetime, chosen: ProviderBatch) -> Slack | None:
    """Apply what the operator chose.

    The decision depends on the batch's creation, so it stays the same while the batch is put in; only the
    time of the recall ends it.
    """
    live_at = batch.expires_at - timedelta(seconds=chosen.reserve_s)
    recall_at = live_at - timedelta(seconds=chosen.recall_s)
    time_of_the_provider_s = (recall_at - created_at(batch.id)).total_seconds()
    enough = time_of_the_provider_s >= chosen.at_least_s and now < recall_at
    if not enough or batch.operation in NOT_TAKEN:
        return None
    return Slack(recall_at, live_at, chosen.max_requests, chosen.max_bytes)
