"""Settings of the results service, under ``results`` (``PENSTOCK_RESULTS__...``)."""

from pydantic import Field

from shared.config.settings import Section, ServiceSettings


class BatchSettings(Section):
    """How outcomes are gathered into transactions."""

    max_batch: int = Field(default=250, ge=1, le=2000)
    """Most messages in one transaction."""
    max_wait_s: float = Field(default=0.005, ge=0)
    """How long the first message of a batch waits for others."""


class ResultsSettings(ServiceSettings):
    """What the results service reads."""

    results: BatchSettings = BatchSettings()
