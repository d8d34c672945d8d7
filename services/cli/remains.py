"""Processes of a fleet whose supervisor is gone: found by a mark in their environment."""

import psutil

MARK = "SUPERVISED_FLEET"
"""Environment variable of every supervised process; its value is the fleet's data folder."""
KILL_TIMEOUT_S = 5.0


def find(data_dir: str) -> list[psutil.Process]:
    """List the living processes that a supervisor of this folder started."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == data_dir and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:  # gone meanwhile, or another user's
            continue
    return found


def end(data_dir: str, *, grace_s: float) -> int:
    """Ask each of them to stop, kill those that do not within ``grace_s``; returns how many there were."""
    processes = find(data_dir)
    for process in processes:
        _send(process, kill=False)
    _, stubborn = psutil.wait_procs(processes, timeout=grace_s)
    for process in stubborn:
        _send(process, kill=True)
    psutil.wait_procs(stubborn, timeout=KILL_TIMEOUT_S)
    return len(processes)


def _send(process: psutil.Process, *, kill: bool) -> None:
    try:
        if kill:
            process.kill()
        else:
            process.terminate()
    except psutil.NoSuchProcess:
        pass
