"""Several records in one message come out as they went in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.deltas import DeltaEncoder
from shared.contracts.ids import new_id
from shared.contracts.jobs import JobDelta
from shared.contracts.records import JobRecords
from shared.errors import MalformedMessageError


@given(st.lists(st.binary()))
def test_records_come_out_as_they_went_in(records: list[bytes]) -> None:
    gathered = JobRecords.decode(JobRecords.gather("job.finished.v1", records).encode())
    assert gathered.record_type == "job.finished.v1"
    assert gathered.split() == records


@pytest.mark.parametrize("lengths", [(), (2,), (1, 1), (5, -2), (3, 1)])
def test_lengths_that_do_not_fit_are_refused(lengths: tuple[int, ...]) -> None:
    with pytest.raises(MalformedMessageError):
        JobRecords(record_type="job.finished.v1", lengths=lengths, body=b"abc").split()


@given(st.integers(min_value=0), st.binary())
def test_a_delta_is_encoded_as_its_contract_does(sequence: int, body: bytes) -> None:
    ids = {"job_id": new_id(), "tenant_id": new_id(), "start_id": new_id()}
    assert (
        DeltaEncoder(**ids).encode(sequence, body) == JobDelta(**ids, sequence=sequence, body=body).encode()
    )
