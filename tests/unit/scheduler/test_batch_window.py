"""How much of a batch is open at a time."""

from typing import Any
from uuid import UUID

from services.scheduler.domain.batch import Batch
from services.scheduler.domain.batch_window import SMALLEST, BatchPace, BatchWindow, Room
from shared.contracts.batches import BatchStatus
from shared.contracts.ids import new_id

WINDOW = BatchWindow(jobs=4000, all_jobs=16_000, bytes=1_000_000)
TENANT = new_id()


def batch(tenant: UUID = TENANT, **fields: Any) -> Batch:
    values: dict[str, Any] = dict.fromkeys(Batch.__dataclass_fields__, 0)
    known = {"id": new_id(), "tenant_id": tenant, "status": BatchStatus.IN_PROGRESS, "first_open": None}
    return Batch(**{**values, **known, **fields})


def test_tenants_share_what_may_be_open_and_the_batches_of_a_tenant_its_share() -> None:
    mine, others = batch(), [batch(new_id()) for _ in range(3)]
    assert WINDOW.of(mine, [mine]) == 4000
    assert WINDOW.of(mine, [mine, *others]) == 4000
    assert WINDOW.of(mine, [mine, batch(), *others]) == 2000
    assert WINDOW.of(others[0], [mine, batch(), *others]) == 4000
    assert WINDOW.of(mine, [mine] * 100_000) == SMALLEST
    checked = [batch(new_id(), status=BatchStatus.VALIDATING) for _ in range(50)]
    assert WINDOW.of(mine, [mine, *checked]) == 4000


def test_heavy_requests_make_it_smaller() -> None:
    assert WINDOW.of(batch(inserted=10, input_offset=100_000), []) == 100
    assert WINDOW.of(batch(inserted=10, input_offset=10**9), []) == SMALLEST


def test_requests_are_put_in_when_it_is_worth_a_transaction() -> None:
    room = Room(open=4000, waiting=2000)
    assert room.worthwhile(batch(total=9000, open=3750, waiting=100), least=250)
    assert not room.worthwhile(batch(total=9000, open=3751, waiting=100), least=250)
    assert not room.worthwhile(batch(total=9000, open=1800, waiting=1751), least=250)
    assert room.worthwhile(batch(total=3), least=250)
    assert not room.worthwhile(batch(total=3, inserted=3), least=250)
    assert Room(open=20, waiting=100).worthwhile(batch(total=900, open=15), least=250)


def test_no_more_jobs_wait_than_are_soon_done() -> None:
    now = 0.0
    pace = BatchPace(ahead_s=5, least=100, clock=lambda: now)
    identifier = new_id()

    def waiting(ended: int) -> int:
        return pace.waiting(batch(id=identifier, inserted=ended + 10, open=10))

    assert waiting(0) == 100
    now = 1.0
    assert waiting(400) == 2000
    now = 1.1
    assert waiting(480) == 2000  # too soon to tell
    now = 2.0
    assert waiting(500) == 1550  # 400 a second, then 100: believed by and by
    for now in range(3, 30):  # noqa: B007 - the clock reads it
        waiting(500)
    assert waiting(500) == 100
    pace.forget_others([])
    assert waiting(10_000) == 100


def test_only_what_comes_before_the_first_open_job_is_ready() -> None:
    assert batch(inserted=10).ended == 10
    assert batch(inserted=10, first_open=4).ended == 3
