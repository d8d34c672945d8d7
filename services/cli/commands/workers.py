"""``penstock workers``: who is alive and what each is doing; drain one."""

from typing import Any

from services.cli.fleet_api import ADMIN, FleetApi, path_of
from services.cli.tables import duration, number, print_json, print_table

_WORKERS = ("WORKER", "STATE", "VERSION", ">UP", ">RUNNING", ">HELD", ">OUT/S", ">QUEUES")
_JOBS = ("JOB", "WORKER", "OPERATION", "LANE", "MODEL", ">ATTEMPT", ">RUNNING")
_SHOWN = 20


def show(api: FleetApi, *, as_json: bool) -> None:
    """Print the workers, and the jobs that have run longest."""
    workers = api.get(path_of(*ADMIN, "workers"))["data"]
    if as_json:
        print_json(workers)
        return
    print_table(_WORKERS, [_row(worker) for worker in workers])
    jobs = sorted(
        ((job, worker["name"]) for worker in workers for job in worker["jobs"]),
        key=lambda pair: -pair[0]["running_s"],
    )
    if jobs:
        print()
        print_table(_JOBS, [_job_row(job, name) for job, name in jobs[:_SHOWN]])


def steer(api: FleetApi, action: str, name: str, *, as_json: bool) -> None:
    """Drain or resume a worker."""
    answer = api.post(path_of(*ADMIN, "workers", name, action))
    if as_json:
        print_json(answer["data"])
    else:
        print(f"{answer['data']['name']}: {answer['message']}")


def _row(worker: dict[str, Any]) -> list[str]:
    shares = worker["queues"].values()
    return [
        worker["name"],
        worker["state"],
        worker["version"],
        duration(worker["uptime_s"]),
        number(worker["running"]),
        number(sum(share["held"] for share in shares)),
        number(sum(share["handled_per_s"] for share in shares), digits=1),
        number(len(worker["queues"])),
    ]


def _job_row(job: dict[str, Any], worker: str) -> list[str]:
    return [
        job["id"],
        worker,
        job["operation"],
        job["lane"],
        job["model"],
        number(job["attempt"]),
        duration(job["running_s"]),
    ]
