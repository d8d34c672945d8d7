"""The API describes itself, on a machine that reaches nothing else."""

import re
from typing import Any

import aiohttp

from tests.integration.ingress.conftest import Api


async def test_every_route_is_described_with_shapes_and_examples(api: Api):
    async with aiohttp.ClientSession(api.url) as anybody, anybody.get("/openapi.json") as answer:
        assert answer.status == 200
        document = await answer.json()
    paths = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert paths >= {
        ("POST", "/v1/chat/completions"),
        ("POST", "/v1/completions"),
        ("POST", "/v1/embeddings"),
        ("POST", "/v1/images/generations"),
        ("GET", "/v1/models"),
        ("GET", "/v1/models/{model_id}"),
        ("POST", "/v1/jobs"),
        ("POST", "/v1/jobs/batch"),
        ("GET", "/v1/jobs"),
        ("GET", "/v1/jobs/{job_id}"),
        ("GET", "/v1/jobs/{job_id}/result"),
        ("GET", "/v1/jobs/{job_id}/events"),
        ("POST", "/v1/jobs/{job_id}/cancel"),
        ("GET", "/health/ready"),
        ("GET", "/api/v1/admin/queues"),
        ("POST", "/api/v1/admin/queues/{queue}/purge"),
        ("POST", "/api/v1/admin/queues/{queue}/dead-letters/replay"),
        ("POST", "/api/v1/admin/workers/{worker}/drain"),
    }
    shapes = document["components"]["schemas"]
    for reference in re.findall(r'"#/components/schemas/([^"]+)"', await _text(api)):
        assert reference in shapes
    for path, methods in document["paths"].items():
        body = methods.get("post", {}).get("requestBody")
        if body is not None:
            (reference,) = (
                media["schema"]["$ref"] for media in body["content"].values() if "$ref" in media["schema"]
            )
            name = reference.rpartition("/")[2]
            assert shapes[name]["examples"], path


async def test_each_example_of_the_description_is_accepted(api: Api):
    shapes = (await _json(api))["components"]["schemas"]
    for path, name in (
        ("/v1/chat/completions", "ChatCompletionRequest"),
        ("/v1/completions", "CompletionRequest"),
        ("/v1/embeddings", "EmbeddingRequest"),
        ("/v1/images/generations", "ImageRequest"),
        ("/v1/jobs", "JobSubmission"),
        ("/v1/jobs/batch", "JobBatchSubmission"),
    ):
        example = shapes[name]["examples"][0]
        for one in example.get("jobs", [example]):
            if "operation" in one:
                one["input"]["model"] = "sim/silent"
            else:
                one["model"] = "sim/echo"
        async with api.http.post(path, json=example) as answer:
            assert answer.status in (200, 202), (path, await answer.text())


async def test_the_page_needs_nothing_from_elsewhere(api: Api):
    async with aiohttp.ClientSession(api.url) as anybody, anybody.get("/docs") as answer:
        assert answer.status == 200
        assert answer.content_type == "text/html"
        page = await answer.text()
    assert not re.search(r"""(?:src|href)=["'](?:https?:)?//""", page)
    assert "openapi.json" in page


async def test_health_names_each_dependency_without_a_key(api: Api):
    async with aiohttp.ClientSession(api.url) as anybody:
        for path in ("/health/ready", "/healthcheck"):
            async with anybody.get(path) as answer:
                assert answer.status == 200
                words = (await answer.json())["dependencies"]
                assert words == {"postgres": "ok", "broker": "ok", "redis": "ok"}
        async with anybody.get("/health/live") as answer:
            assert answer.status == 200


async def _text(api: Api) -> str:
    async with api.http.get("/openapi.json") as answer:
        return await answer.text()


async def _json(api: Api) -> dict[str, Any]:
    async with api.http.get("/openapi.json") as answer:
        return dict(await answer.json())
