"""Make this checkout importable in the environment that runs this file, and put `penstock` beside it.

Shape: one path file in site-packages and one script in bin; what an editable install does, without a
build backend to download.
"""

import pathlib
import sys
import sysconfig

ROOT = pathlib.Path(__file__).resolve().parent.parent
SCRIPT = """#!{python}
from services.cli.__main__ import main

main()
"""


def main() -> None:
    """Write both files; running it again changes nothing."""
    pathlib.Path(sysconfig.get_path("purelib"), "penstock.pth").write_text(f"{ROOT}\n")
    script = pathlib.Path(sysconfig.get_path("scripts"), "penstock")
    script.write_text(SCRIPT.format(python=sys.executable))
    script.chmod(0o755)


if __name__ == "__main__":
    main()
