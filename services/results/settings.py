"""Settings of the results service, under ``results`` (``PENSTOCK_RESULTS__...``)."""

from pydantic import Field

from shared.config.settings import Section, ServiceSettings


class BatchSettings(Section):
    """How outcomes are gathered into transactions."""

    max_batch: int = Field(default=250, ge=1, le=2000)
    """Most messages in one transaction; a message holds the records of one or of several jobs."""
    max_wait_s: float = Field(default=0.02, ge=0)
    """Shortest time between two transactions that are not full; after a pause a message goes at once."""


class ResultsSettings(ServiceSettings):
    """What the results service reads."""

    results: BatchSettings = BatchSettings()
