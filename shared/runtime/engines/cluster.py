"""The files of a PostgreSQL cluster: created whole, or not at all."""

import os
import secrets
import shutil
import subprocess
from pathlib import Path

from shared.runtime.engines.errors import EngineError, EngineStartError
from shared.runtime.engines.identity import Identity

INITDB_TIMEOUT_S = 120.0
ROLE = "penstock"
DATABASE = "penstock"


class ClusterFiles:
    """The cluster, owned by the server's user, and beside it the password of its role, mode 0600.

    Args:
        data_dir: Holds both.
        home: The cluster's own folder in `data_dir`.
        programs: Folder of the bundled `initdb` and `postgres`.
    """

    def __init__(self, data_dir: Path, *, home: Path, programs: Path) -> None:
        self._home = home
        self._unfinished = home.with_suffix(".unfinished")
        self._password_file = data_dir / "password"
        self._programs = programs

    def password(self) -> str:
        """Read the role's password.

        Raises:
            EngineError: There is none yet, or it is another user's.
        """
        try:
            return self._password_file.read_text()
        except OSError as error:
            raise EngineError(
                f"cannot read {self._password_file} ({error.strerror}): was the engine started by this user?"
            ) from error

    def create(self, identity: Identity) -> None:
        """Make the cluster, its role with a new password, and its database, unless they exist.

        The last step is a rename, so a cluster that is there is complete.

        Raises:
            EngineStartError: A step failed; with what it printed.
        """
        if self._home.exists():
            return
        if self._unfinished.exists():
            shutil.rmtree(self._unfinished)
        self._write_password(identity)
        identity.own(self._unfinished)
        self._run(
            identity,
            "initdb",
            f"--pgdata={self._unfinished}",
            f"--username={ROLE}",
            f"--pwfile={self._password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
        )
        sql = f"create database {DATABASE};\n".encode()
        self._run(identity, "postgres", "--single", "-D", str(self._unfinished), "template1", stdin=sql)
        self._unfinished.rename(self._home)
        _sync(self._home.parent)

    def _write_password(self, identity: Identity) -> None:
        draft = self._password_file.with_suffix(".unfinished")
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(32))
            file.flush()
            os.fsync(file.fileno())
        if identity.dropped:
            os.chown(draft, identity.uid, identity.gid)
        draft.rename(self._password_file)

    def _run(self, identity: Identity, program: str, *arguments: str, stdin: bytes = b"") -> None:
        argv = [str(self._programs / program), *arguments]
        with identity.popen(argv, stdin=subprocess.PIPE, output=subprocess.PIPE) as process:
            try:
                output, _ = process.communicate(stdin, timeout=INITDB_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                raise EngineStartError(program, f"not done within {INITDB_TIMEOUT_S:.0f} s") from None
        if process.returncode != 0:
            reason = f"it ended with status {process.returncode}"
            raise EngineStartError(program, reason, log_tail=output.decode(errors="replace").strip())


def _sync(folder: Path) -> None:
    """Make a rename within `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
