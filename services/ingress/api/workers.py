"""``/api/v1/admin/workers``: who is alive and what each is doing; drain one, let it go on."""

from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from services.ingress.adapters.fleet_inquiry import FleetInquiry
from services.ingress.adapters.patience import broker_patience
from services.ingress.api.answers import managed_answer
from services.ingress.api.audit import audited
from services.ingress.domain.job import PREFIX
from shared.contracts.ids import public_id
from shared.contracts.operations import WorkerCommand, WorkerReport


class WorkerEndpoints:
    """What the routes of workers do."""

    def __init__(self, inquiry: FleetInquiry) -> None:
        self._inquiry = inquiry

    async def list(self, _: Request) -> Response:
        """Show every worker that answers."""
        async with broker_patience():
            reports = await self._inquiry.reports()
        now = datetime.now(UTC)
        workers = [_render(report, now) for report in reports.workers]
        return managed_answer(workers, f"{len(workers)} workers have answered.")

    async def drain(self, request: Request) -> Response:
        """Have a worker take no new jobs and finish what it runs."""
        return await self._command(request, WorkerCommand.DRAIN)

    async def resume(self, request: Request) -> Response:
        """Have a worker take jobs again."""
        return await self._command(request, WorkerCommand.RESUME)

    async def _command(self, request: Request, command: WorkerCommand) -> Response:
        name = request.path_params["worker"]
        with audited(request, f"worker.{command}", name[:80]):
            report = await self._inquiry.command(name, command)
        return managed_answer(_render(report, datetime.now(UTC)), f"It is {report.state} now.")


def _render(report: WorkerReport, now: datetime) -> dict[str, Any]:
    return {
        "name": report.name,
        "version": report.version,
        "state": report.state,
        "started_at": report.started_at.isoformat(timespec="seconds"),
        "uptime_s": _since(report.started_at, now),
        "concurrency": report.concurrency,
        "running": report.running,
        "queues": {
            name: {"held": share.held, "handled_per_s": round(share.handled_per_s, 3)}
            for name, share in report.queues.items()
        },
        "jobs": [
            {
                "id": public_id(PREFIX, job.job_id),
                "tenant_id": str(job.tenant_id),
                "operation": job.operation,
                "lane": job.lane,
                "model": job.model,
                "background": job.background,
                "attempt": job.attempt,
                "running_s": _since(job.began_at, now),
            }
            for job in report.jobs
        ],
    }


def _since(moment: datetime, now: datetime) -> float:
    return round(max(0.0, (now - moment).total_seconds()), 3)
