"""Which servers the tests may use, by explicit variables only."""

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class ServersForTests(BaseSettings):
    """Environment, e.g. PENSTOCK_TEST_RABBITMQ_URL=amqp://broker:5672."""

    model_config = SettingsConfigDict(env_prefix="PENSTOCK_TEST_", frozen=True)

    rabbitmq_url: SecretStr | None = None
    ci: str = Field(default="", validation_alias="CI")
    """Where it is set, a missing server fails the tests that need it instead of skipping them."""
