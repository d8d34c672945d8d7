"""Checks again what a campaign left behind: ``python -m tests.faults.campaign FOLDER``."""

import sys
from pathlib import Path

from tests.faults.campaign.checker import check
from tests.faults.campaign.evidence import Evidence
from tests.faults.campaign.history import History


def main(folder: Path) -> int:
    """Print every breach; returns how many there are."""
    evidence = Evidence.model_validate_json((folder / "evidence.json").read_text())
    breaches = check(History.read(folder / "history.jsonl"), evidence)
    print("\n".join(breaches) or "nothing was lost or done twice")
    return len(breaches)


if __name__ == "__main__":
    sys.exit(min(1, main(Path(sys.argv[1]))))
