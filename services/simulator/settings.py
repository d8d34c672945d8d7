"""Settings of the simulator; it needs no broker and no store."""

from pydantic import Field

from services.simulator.domain.behaviour import Behaviour
from shared.config.settings import ProcessSettings, Section


class SimulatorSection(Section):
    """Environment, e.g. ``PENSTOCK_SIMULATOR__BEHAVIOUR__TOKENS_PER_S=50``."""

    host: str = "127.0.0.1"
    port: int = Field(default=8081, ge=0, le=65535)
    """0 takes a free one and logs it."""
    behaviour: Behaviour = Behaviour()
    """How a request is answered that asks for nothing else."""
    embedding_dimensions: int = Field(default=384, ge=1, le=4096)
    max_body_bytes: int = Field(default=64 * 1024 * 1024, ge=1024)
    remembered_keys: int = Field(default=200_000, ge=1)
    """For how many call keys counts are kept; the oldest are forgotten."""


class SimulatorSettings(ProcessSettings):
    """What the process reads."""

    simulator: SimulatorSection = SimulatorSection()
