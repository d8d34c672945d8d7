"""``penstock status``: what runs, and how it does."""

import asyncio
import json
import time
from dataclasses import asdict
from typing import Any

from services.cli.data_dir import DataDir
from services.cli.errors import EXIT_NO_FLEET
from services.cli.lock import FleetLock
from services.cli.memory import memory_mb
from services.cli.probe import Readiness, readiness
from services.cli.state import Entry, FleetState

EXIT_NOT_READY = 1


def run(folder: DataDir, *, as_json: bool) -> int:
    """Print the state; returns the exit code."""
    state = FleetState.read(folder)
    if state is None or not state.supervisor_lives or not FleetLock(folder.lock).is_held():
        if as_json:
            print(json.dumps({"running": False, "data_dir": str(folder.path), "services": [], "engines": []}))
        else:
            print(f"No fleet runs in {folder.path}. `penstock up` starts one.")
        return EXIT_NO_FLEET
    report = _report(folder, state, asyncio.run(_ask(state.services)))
    print(json.dumps(report, indent=1) if as_json else _table(report))
    return 0 if report["ready"] else EXIT_NOT_READY


async def _ask(services: list[Entry]) -> list[Readiness]:
    return await asyncio.gather(*map(_readiness, services))


async def _readiness(entry: Entry) -> Readiness:
    if entry.state != "running" or entry.admin_port is None:
        return Readiness(ready=False, why=entry.reason or entry.state)
    return await readiness(entry.admin_port)


def _report(folder: DataDir, state: FleetState, answers: list[Readiness]) -> dict[str, Any]:
    services = [_describe(entry, answer) for entry, answer in zip(state.services, answers, strict=True)]
    engines = [_describe(entry, _engine_readiness(entry)) for entry in state.engines]
    return {
        "running": True,
        "ready": state.phase == "ready" and all(entry["ready"] for entry in [*services, *engines]),
        "phase": state.phase,
        "pid": state.pid,
        "url": state.url,
        "simulator_url": state.simulator_url,
        "data_dir": str(folder.path),
        "memory_mb": round(
            sum(e["memory_mb"] for e in [*services, *engines]) + memory_mb(state.pid, with_children=False), 1
        ),
        "services": services,
        "engines": engines,
    }


def _engine_readiness(entry: Entry) -> Readiness:
    running = entry.state == "running"
    return Readiness(ready=running, why="" if running else entry.reason)


def _describe(entry: Entry, answer: Readiness) -> dict[str, Any]:
    running = entry.state == "running" and entry.pid is not None
    uptime_s = round(time.time() - entry.started_at, 1) if running and entry.started_at else None
    return asdict(entry) | {
        "uptime_s": uptime_s,
        "memory_mb": round(memory_mb(entry.pid), 1) if running and entry.pid else 0.0,
        "ready": answer.ready,
        "why": answer.why,
    }


def _table(report: dict[str, Any]) -> str:
    lines = [
        f"{report['url']}  {report['phase']}  {report['memory_mb']:.0f} MB  data in {report['data_dir']}",
        "",
        f"{'PROCESS':<20}{'PID':>8}  {'STATE':<12}{'READY':<7}{'RESTARTS':>8}{'UPTIME':>10}{'MEMORY':>9}",
    ]
    for entry in [*report["services"], *report["engines"]]:
        lines.append(
            f"{entry['name']:<20}{entry['pid'] or '-':>8}  {entry['state']:<12}"
            f"{'yes' if entry['ready'] else 'no':<7}{entry['restarts']:>8}"
            f"{_duration(entry['uptime_s']):>10}{entry['memory_mb']:>6.0f} MB"
        )
        why = entry["why"] if not entry["ready"] or entry["why"] else ""
        lines.extend(f"    {line}" for line in why.splitlines()[-3:] if entry["state"] != "running" or line)
    return "\n".join(lines)


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02}m" if hours else f"{minutes}m{rest:02}s" if minutes else f"{rest}s"
