"""How long and how random a campaign is, by explicit variables."""

import secrets

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class CampaignSettings(BaseSettings):
    """Environment, e.g. ``PENSTOCK_TEST_KILLS=60 PENSTOCK_TEST_SEED=7 make chaos``."""

    model_config = SettingsConfigDict(env_prefix="PENSTOCK_TEST_", frozen=True)

    kills: int = Field(default=10, ge=1)
    """On each broker; so many hit everybody, and somebody twice. ``make chaos`` takes more."""
    jobs: int = Field(default=0, ge=0)
    """How many are accepted at least; the load goes on until then."""
    submitters: int = Field(default=4, ge=1)
    """Clients that submit jobs, each about seven a second while they are taken."""
    seed: int = Field(default_factory=lambda: secrets.randbelow(1_000_000))
    """Decides what is random; a new one every time unless it is given. Timing differs all the same."""
    thorough: bool = False
    """Every crash point on each broker, one at a time; otherwise half of them on either."""
