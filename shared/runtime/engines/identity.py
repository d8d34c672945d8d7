"""Which user an engine runs as, and how a process is started as that user.

PostgreSQL refuses to run as root, and no engine needs to. An ordinary user runs engines as himself;
root hands them to an unprivileged user. That user must reach the program and the data although both may
lie below a folder that is closed to it (a checkout under /root). Opening the parents is not ours to do,
so the process then gets one Linux capability that lets it pass, and only then: it is far less than root.
"""

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from shared.runtime.engines.errors import EngineError

UNPRIVILEGED_ID = 65534
"""`nobody` on every current Linux; initdb insists on a user with a line in /etc/passwd."""

CAPABILITIES = ((), ("dac_read_search",), ("dac_override",))
"""From least to most. Containers usually withhold the second and grant the third."""

ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
"""All that an engine sees: no PG* variable of the user changes it, no secret leaks into it."""

PROBE_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Identity:
    """The user of an engine's processes, and the capabilities that they carry."""

    uid: int
    gid: int
    capabilities: tuple[str, ...] = ()

    @classmethod
    def owning(cls, data: Path) -> Self:
        """Choose the user for `data`, which need not exist yet.

        Raises:
            EngineError: The folder belongs to somebody else, or to root, whom PostgreSQL refuses.
        """
        me = os.geteuid()
        try:
            owner = data.stat()
        except (FileNotFoundError, NotADirectoryError):
            owner = None
        except PermissionError:
            raise EngineError(f"{data} is closed to this user: choose another data folder") from None
        if me != 0:
            if owner is not None and owner.st_uid != me:
                raise EngineError(
                    f"{data} belongs to user {owner.st_uid}: start as that user or as root, "
                    "or choose another data folder"
                )
            return cls(me, os.getegid())
        if owner is None:
            return cls(UNPRIVILEGED_ID, UNPRIVILEGED_ID)
        if owner.st_uid == 0:
            raise EngineError(
                f"{data} belongs to root, as whom no engine runs: "
                f"chown -R {UNPRIVILEGED_ID}:{UNPRIVILEGED_ID} {data}"
            )
        return cls(owner.st_uid, owner.st_gid)

    @property
    def dropped(self) -> bool:
        """Whether the engine runs as another user than this process."""
        return self.uid != os.geteuid()

    def reaching(self, *paths: Path) -> Self:
        """Add the least capability with which this user can enter or execute all of `paths`.

        The kernel is asked, by a process of that user, so access lists count too.

        Raises:
            EngineError: No capability suffices, or the tool that grants one is missing.
        """
        for capabilities in CAPABILITIES if self.dropped else ((),):
            candidate = replace(self, capabilities=capabilities)
            if not (capabilities and shutil.which("setpriv") is None) and candidate.can_reach(paths):
                return candidate
        raise EngineError(
            f"user {self.uid} cannot reach {' or '.join(map(str, paths))}: install setpriv (Debian package "
            "util-linux), or start as an ordinary user, or use a checkout and a data folder whose parents "
            "that user may enter (for example below /opt and /var/lib)"
        )

    def can_reach(self, paths: Sequence[Path]) -> bool:
        """Whether this user may enter (folders) or execute (files) every one of `paths`."""
        script = 'for path; do test -x "$path" || exit 1; done'
        probe = self.popen(["/bin/sh", "-c", script, "probe", *map(str, paths)])
        return probe.wait(PROBE_TIMEOUT_S) == 0

    def popen(
        self, argv: Sequence[str], *, stdin: int = subprocess.DEVNULL, output: int = subprocess.DEVNULL
    ) -> subprocess.Popen[bytes]:
        """Start a process as this user in its own session, so that no Ctrl-C reaches it.

        Its pid is the program's own. `output` takes both standard output and standard error.
        """
        plain = self.dropped and not self.capabilities
        return subprocess.Popen(  # noqa: S603 - every argument list is built in this package
            [*self._grant(), *argv],
            stdin=stdin,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/",
            env=ENVIRONMENT,
            start_new_session=True,
            user=self.uid if plain else None,
            group=self.gid if plain else None,
            extra_groups=[] if plain else None,
            umask=0o077,
        )

    def own(self, folder: Path) -> None:
        """Create `folder`, or take it as it is, and give it to this user alone (mode 0700)."""
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.is_symlink():
            raise EngineError(f"{folder} is a link; remove it")
        if self.dropped:
            os.chown(folder, self.uid, self.gid, follow_symlinks=False)
        elif folder.stat().st_uid != self.uid:
            raise EngineError(f"{folder} belongs to another user; remove it or choose another folder")

    def enclose(self, folder: Path) -> None:
        """Create a folder of our own around what this user owns; an existing one keeps its mode."""
        try:
            folder.mkdir(mode=0o711 if self.dropped else 0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise EngineError(f"cannot create {folder}: {error.strerror}") from error

    def _grant(self) -> tuple[str, ...]:
        if not self.capabilities:
            return ()
        granted = ",".join(f"+{capability}" for capability in self.capabilities)
        return (
            shutil.which("setpriv") or "setpriv",
            f"--reuid={self.uid}",
            f"--regid={self.gid}",
            "--clear-groups",
            # access(2), by which PostgreSQL looks at its own programs, ignores capabilities without this.
            "--securebits=+no_setuid_fixup",
            f"--inh-caps={granted}",
            f"--ambient-caps={granted}",
        )
