"""Files and batches with the official client, unchanged but for its base URL."""

import openai
import pytest

from tests.support.batches import ended, jsonl, line, submit, written
from tests.support.fleet import Fleet

pytestmark = pytest.mark.e2e


@pytest.fixture
def client(fleet: Fleet):
    with openai.OpenAI(base_url=f"{fleet.url}/v1", api_key=fleet.api_key, max_retries=0) as client:
        yield client


def test_a_batch_runs_from_its_file_to_its_files(client: openai.OpenAI) -> None:
    content = jsonl([line(f"r-{n}") for n in range(40)])
    batch = submit(client, content, metadata={"night": "1"})
    assert batch.object == "batch"
    assert batch.status == "validating"
    assert batch.request_counts is not None
    batch = ended(client, batch.id)
    assert (batch.status, batch.errors, batch.error_file_id) == ("completed", None, None)
    assert batch.request_counts is not None
    assert batch.request_counts.model_dump() == {"total": 40, "completed": 40, "failed": 0}
    assert batch.metadata == {"night": "1"}
    assert batch.model == "simulator/echo"
    assert batch.usage is not None
    assert batch.usage.total_tokens == batch.usage.input_tokens + batch.usage.output_tokens > 0
    assert batch.output_file_id is not None
    file = client.files.retrieve(batch.output_file_id)
    assert (file.purpose, file.filename) == ("batch_output", f"{batch.id}_output.jsonl")
    lines = written(client, batch.output_file_id)
    assert [one["custom_id"] for one in lines] == [f"r-{n}" for n in range(40)]
    assert {one["response"]["status_code"] for one in lines} == {200}
    assert lines[7]["response"]["body"]["choices"][0]["message"]["content"] == "say r-7"
    assert lines[7]["error"] is None
    assert batch.id in [one.id for one in client.batches.list(limit=5)]
