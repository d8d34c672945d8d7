"""From ``penstock up`` to ready, packages installed."""

from tests.benchmarks.report import Report
from tests.benchmarks.site import Site


def run(site: Site, report: Report) -> None:
    """Restart in the folder as the load left it; the first start was measured when the fleet began."""
    again_s = site.restart()
    report.fact("start.first_s", site.first_start_s)
    report.fact("start.again_s", again_s)
    report.table(
        "From `penstock up` to ready, s",
        ["fresh folder", "existing folder"],
        [[site.first_start_s, again_s]],
    )
