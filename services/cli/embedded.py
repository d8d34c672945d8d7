"""The engines that a local fleet brings along, by name."""

from services.cli.data_dir import DataDir
from shared.runtime.engines.engine import Engine

POSTGRES = "postgres"
VALKEY = "valkey"


def embedded_engine(name: str, folder: DataDir) -> Engine:
    """Describe an engine of a data folder; nothing is started.

    Raises:
        EngineError: Its package is not installed.
    """
    if name == POSTGRES:
        from shared.runtime.engines.postgres import EmbeddedPostgres  # noqa: PLC0415 - loaded where used

        return EmbeddedPostgres(folder.path / POSTGRES, folder.path / "run")
    from shared.runtime.engines.valkey import EmbeddedValkey  # noqa: PLC0415 - the same

    return EmbeddedValkey(folder.path / VALKEY, folder.path / "run")
