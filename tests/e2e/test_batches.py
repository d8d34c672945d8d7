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


def test_a_batch_tells_what_is_wrong_with_its_input_and_runs_nothing(client: openai.OpenAI) -> None:
    other = line("b", model="simulator/text")
    lines = [line("a"), "{", line("a"), line("c", url="/v1/embeddings"), other, '{"custom_id": "d"}']
    batch = ended(client, submit(client, jsonl(lines)).id)
    assert batch.status == "failed"
    assert batch.failed_at is not None
    assert batch.errors is not None
    assert [(error.line, error.code, error.param) for error in batch.errors.data or ()] == [
        (2, "invalid_json_line", None),
        (3, "duplicate_custom_id", "custom_id"),
        (4, "invalid_url", "url"),
        (5, "mismatched_model", "body.model"),
        (6, "missing_required_parameter", "method"),
    ]
    assert (batch.output_file_id, batch.error_file_id) == (None, None)


def test_what_fails_is_in_the_error_file_as_the_route_would_have_answered(client: openai.OpenAI) -> None:
    refused = line("bad", simulator={"status": 400})
    batch = ended(client, submit(client, jsonl([line("good"), refused])).id)
    assert batch.status == "completed"
    assert batch.request_counts is not None
    assert batch.request_counts.model_dump() == {"total": 2, "completed": 1, "failed": 1}
    assert [one["custom_id"] for one in written(client, batch.output_file_id)] == ["good"]
    (failed,) = written(client, batch.error_file_id)
    assert failed["custom_id"] == "bad"
    assert failed["error"] is None
    assert failed["response"]["status_code"] == 400
    assert failed["response"]["body"]["error"]["code"] == "provider_rejected"


def test_a_cancelled_batch_keeps_what_is_done_and_says_what_is_not(
    client: openai.OpenAI, fleet: Fleet
) -> None:
    slow = {"simulator": {"hang": True, "key": f"cancelled-{fleet.port}"}}
    batch = submit(client, jsonl([line("quick"), *(line(f"slow-{n}", **slow) for n in range(60))]))
    fleet.wait_until(lambda: _completed(client, batch.id) == 1, "the quick one is done")
    assert client.batches.cancel(batch.id).status == "cancelling"
    batch = ended(client, batch.id)
    assert batch.status == "cancelled"
    assert batch.cancelling_at is not None
    assert [one["custom_id"] for one in written(client, batch.output_file_id)] == ["quick"]
    errors = written(client, batch.error_file_id)
    assert [one["custom_id"] for one in errors] == [f"slow-{n}" for n in range(60)]
    assert {one["error"]["code"] for one in errors} == {"batch_cancelled"}
    with pytest.raises(openai.ConflictError):
        client.batches.cancel(batch.id)


def _completed(client: openai.OpenAI, batch_id: str) -> int:
    counts = client.batches.retrieve(batch_id).request_counts
    assert counts is not None
    return counts.completed


def test_what_is_not_done_in_time_expires_and_the_rest_is_kept(client: openai.OpenAI) -> None:
    lines = [line("quick"), line("slow", simulator={"hang": True})]
    batch = submit(client, jsonl(lines), completion_window="2s")
    assert batch.expires_at == pytest.approx(batch.created_at + 2, abs=1)
    batch = ended(client, batch.id)
    assert batch.status == "expired"
    done, not_done = written(client, batch.output_file_id), written(client, batch.error_file_id)
    assert [one["custom_id"] for one in done + not_done] == ["quick", "slow"]
    assert (not_done[-1]["custom_id"], not_done[-1]["response"]) == ("slow", None)
    assert not_done[-1]["error"]["code"] == "batch_expired"


def test_requests_of_a_batch_are_jobs_that_can_be_listed(client: openai.OpenAI, fleet: Fleet) -> None:
    url = "/v1/embeddings"
    lines = [line(f"e-{n}", url=url, model="simulator/embedding", input=f"text {n}") for n in range(3)]
    batch = ended(client, submit(client, jsonl(lines), endpoint=url).id)
    assert len(written(client, batch.output_file_id)) == 3
    jobs = fleet.json("GET", f"/v1/jobs?batch_id={batch.id}")["data"]
    assert {job["metadata"]["custom_id"] for job in jobs} == {"e-0", "e-1", "e-2"}
    assert {(job["lane"], job["operation"], job["status"]) for job in jobs} == {
        ("batch", "embedding", "completed")
    }
    assert fleet.json("GET", "/v1/jobs?batch_id=batch_" + "0" * 32)["data"] == []


def test_files_are_kept_byte_for_byte_listed_and_deleted(client: openai.OpenAI) -> None:
    content = bytes(range(256)) * 40_000  # several parts
    file = client.files.create(
        file=("données.bin", content),
        purpose="user_data",
        expires_after={"anchor": "created_at", "seconds": 3600},
    )
    assert (file.bytes, file.filename, file.purpose) == (len(content), "données.bin", "user_data")
    assert file.expires_at == pytest.approx(file.created_at + 3600, abs=1)
    assert client.files.content(file.id).content == content
    assert [one.id for one in client.files.list(purpose="user_data")] == [file.id]
    other = client.files.create(file=b"", purpose="user_data")
    pages = client.files.list(purpose="user_data", limit=1, order="asc")
    assert [one.id for one in pages] == [file.id, other.id]
    assert client.files.content(other.id).content == b""
    for one in (file, other):
        assert client.files.delete(one.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.files.retrieve(file.id)
    assert list(client.files.list(purpose="user_data")) == []
