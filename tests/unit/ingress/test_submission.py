"""What a job's metadata may be."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from services.ingress.domain.job_times import JobLimits
from services.ingress.domain.submission import Submission, read_submission
from shared.config.settings import EgressSettings
from shared.errors import InvalidRequestError
from shared.security.egress import EgressPolicy

LIMITS = JobLimits(deadline_s=60, max_deadline_s=60, max_run_in_s=60, attempts=1, max_attempts=1)
EGRESS = EgressPolicy(EgressSettings())


def submitted(metadata: bytes) -> Submission:
    body = b'{"operation":"embedding","input":{"model":"a/b","input":"x"},"metadata":%s}' % metadata
    return read_submission(body, LIMITS, EGRESS, datetime.now(UTC))


def nested(depth: int) -> bytes:
    return b'{"a":' * (depth - 1) + b"{}" + b"}" * (depth - 1)


@pytest.mark.parametrize(
    "metadata",
    [{}, {"path": "C:\\u0000"}, {"list": [1, None, {"x": "\u00e9"}]}, orjson.loads(nested(32))],
)
def test_metadata_is_kept(metadata: dict[str, Any]):
    assert submitted(orjson.dumps(metadata)).metadata == metadata


def test_a_body_that_is_nested_too_deeply_names_its_member():
    deep = b'{"operation":"embedding","input":{"model":"a/b","input":"x","more":%s}}' % nested(1000)
    with pytest.raises(InvalidRequestError) as caught:
        read_submission(deep, LIMITS, EGRESS, datetime.now(UTC))
    assert caught.value.param == "input"


@pytest.mark.parametrize(
    "metadata", [nested(33), nested(300), nested(1000), b'{"a":"\\u0000"}', b'{"\\u0000":1}']
)
def test_metadata_that_cannot_be_kept_is_named(metadata: bytes):
    with pytest.raises(InvalidRequestError) as caught:
        submitted(metadata)
    assert caught.value.param == "metadata"
