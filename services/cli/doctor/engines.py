"""Checks that the embedded engines can run."""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from services.cli.data_dir import DataDir
from services.cli.doctor.finding import Finding, ok, wrong
from services.cli.embedded import embedded_engine
from shared.runtime.engines.errors import EngineError


def check_engines(folder: DataDir, names: Sequence[str], *, fleet_runs: bool) -> Iterator[Finding]:
    """See that each runs, or starts on a folder of its own that is removed again."""
    for name in names:
        try:
            if fleet_runs:
                yield _running(name, folder)
            else:
                yield _starts(name)
        except EngineError as error:
            yield wrong(name, str(error), "See the message; `make up` installs what is missing.")


def _running(name: str, folder: DataDir) -> Finding:
    engine = embedded_engine(name, folder)
    if engine.running():
        return ok(name, f"embedded, runs as pid {engine.pid}")
    return wrong(name, "embedded, does not run", "It is being started again; see `penstock logs`.")


def _starts(name: str) -> Finding:
    with tempfile.TemporaryDirectory(prefix="penstock-doctor-") as path:
        engine = embedded_engine(name, DataDir(Path(path)))
        try:
            engine.start()
            return ok(name, "embedded, starts")
        finally:
            engine.stop()
