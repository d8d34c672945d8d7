"""The guard: a small process that cleans up when the supervisor is killed.

The supervisor holds the writing end of the guard's standard input and never writes. However the
supervisor ends, the kernel closes that end, the guard reads the end of the file, ends every process with
the fleet's mark and stops the embedded engines. This works on every Unix, for children that hang too, and
needs nothing of the children; PR_SET_PDEATHSIG exists on Linux only and is lost over a change of user. An
orderly stop ends the guard with SIGTERM, last of all. It inherits the fleet's lock, so nobody
starts a new fleet on the folder before it is done.

    python -m services.cli.guard DATA_DIR GRACE_S [ENGINE ...]
"""

import os
import sys


def main() -> None:
    """Wait for the supervisor's end, then clean up."""
    while os.read(0, 4096):
        pass
    # Only now: until then the guard costs no more memory than an idle interpreter.
    from pathlib import Path  # noqa: PLC0415

    from services.cli import remains  # noqa: PLC0415
    from services.cli.data_dir import DataDir  # noqa: PLC0415
    from services.cli.embedded import embedded_engine  # noqa: PLC0415

    data_dir, grace_s, *engines = sys.argv[1:]
    remains.end(data_dir, grace_s=float(grace_s))
    for name in engines:
        embedded_engine(name, DataDir(Path(data_dir))).stop()


if __name__ == "__main__":
    main()
