"""Entry point: ``python -m services.provider_worker --queues jobs.chat.*,jobs.embedding.batch``."""

import argparse
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.provider_worker.app import running
from services.provider_worker.domain.queues import select_queues
from services.provider_worker.settings import ProviderWorkerSettings
from shared.runtime.health import Health
from shared.runtime.service import main


def _patterns(text: str) -> tuple[str, ...]:
    patterns = tuple(filter(None, text.split(",")))
    try:
        select_queues(patterns)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return patterns


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of 1 or more")
    return int(text)


def _arguments() -> dict[str, object]:
    parser = argparse.ArgumentParser(
        prog="python -m services.provider_worker", description="Calls providers for queued jobs."
    )
    parser.add_argument(
        "--queues",
        type=_patterns,
        metavar="PATTERN,...",
        help="queues to take, e.g. jobs.chat.*,jobs.embedding.batch (default: every job queue)",
    )
    parser.add_argument(
        "--concurrency", type=_positive, metavar="N", help="most jobs at a time (default: 1024)"
    )
    return {name: value for name, value in vars(parser.parse_args()).items() if value is not None}


def _main() -> None:
    arguments = _arguments()

    @asynccontextmanager
    async def running_as_told(settings: ProviderWorkerSettings) -> AsyncIterator[Health]:
        worker = settings.worker.model_copy(update=arguments)
        async with running(settings.model_copy(update={"worker": worker})) as health:
            yield health

    main("provider_worker", ProviderWorkerSettings, running_as_told)


if __name__ == "__main__":
    _main()
