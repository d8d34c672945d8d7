"""``penstock doctor``: check everything that can be wrong and say the remedy."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict

from services.cli.configuration import additions_of_fleet, fleet_environment
from services.cli.credentials import Credentials
from services.cli.data_dir import DataDir
from services.cli.doctor.configuration import check_configuration
from services.cli.doctor.engines import check_engines
from services.cli.doctor.finding import Finding, wrong
from services.cli.doctor.folder import check_folder
from services.cli.doctor.machine import check_machine
from services.cli.doctor.servers import check_database, check_server
from services.cli.environment import FleetEnvironment, own_environment
from services.cli.errors import CommandError
from services.cli.lock import FleetLock

MARKS = {"ok": "ok   ", "note": "note ", "wrong": "WRONG"}


def run(folder: DataDir, *, as_json: bool) -> int:
    """Print every finding; returns the exit code."""
    findings = list(_findings(folder))
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], indent=1))
    else:
        for finding in findings:
            print(f"{MARKS[finding.state]}  {finding.check}: {finding.detail}")
            if finding.remedy:
                print(f"       -> {finding.remedy}")
    return int(any(finding.state == "wrong" for finding in findings))


def _findings(folder: DataDir) -> Iterator[Finding]:
    yield from check_machine(folder)
    inherited = own_environment()
    try:
        environment = fleet_environment(folder, inherited)
        added = additions_of_fleet(environment)
    except CommandError as error:
        yield wrong("configuration", str(error), "Correct what the message names.")
        return
    yield from check_folder(folder, host=environment.settings.host, port=environment.settings.port)
    yield from check_configuration(inherited, added)
    runs = FleetLock(folder.lock).is_held()
    yield from check_engines(folder, environment.embedded(), fleet_runs=runs)
    yield from asyncio.run(_all(_servers(environment, added, fleet_runs=runs)))


async def _all(findings: AsyncIterator[Finding]) -> list[Finding]:
    return [finding async for finding in findings]


async def _servers(
    environment: FleetEnvironment, added: dict[str, str], *, fleet_runs: bool
) -> AsyncIterator[Finding]:
    """Check the configured servers, and the embedded database while it runs."""
    settings = environment.settings
    for name, url in (
        ("broker", settings.broker.url),
        ("redis", settings.redis.url),
        ("mongo", settings.mongo.url),
    ):
        if url is not None and not url.get_secret_value().startswith("postgres"):
            yield await check_server(name, url.get_secret_value(), f"PENSTOCK_{name.upper()}__URL")
    configured = settings.postgres.url
    embedded = added.get("PENSTOCK_POSTGRES__URL", "") if fleet_runs else ""
    url_text = embedded if configured is None else configured.get_secret_value()
    if url_text:
        key = Credentials.read(environment.folder).api_key
        secret = environment.secret_key() if key else ""
        async for finding in check_database(url_text, secret_key=secret, api_key=key):
            yield finding
