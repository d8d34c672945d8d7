"""The routes of files."""

from collections.abc import Iterator

from services.ingress.api.files import FileEndpoints
from services.ingress.api.route import RawRoute, route
from services.ingress.api.schemas.files import FileDeleted, FileList, FileObject, FileUpload

_FILES = "Files"
_ID = {
    "name": "file_id",
    "in": "path",
    "required": True,
    "schema": {"type": "string"},
    "example": "file-0198c1f2a5b47c3d8e9f001122334455",
}


def file_routes(endpoints: FileEndpoints) -> Iterator[RawRoute]:
    """Describe the routes of files."""
    yield route(
        "POST",
        "/v1/files",
        endpoints.upload,
        summary="Upload a file",
        description="A multipart form, streamed to the object store. Answers when the file is durable.",
        tag=_FILES,
        answer=FileObject,
        takes=FileUpload,
        takes_type="multipart/form-data",
        errors=(400, 401, 413, 422, 503),
    )
    yield route(
        "GET",
        "/v1/files",
        endpoints.list,
        summary="List files",
        tag=_FILES,
        answer=FileList,
        parameters=tuple(_filters()),
        errors=(401, 422, 503),
    )
    yield route(
        "GET",
        "/v1/files/{file_id}",
        endpoints.get,
        summary="Show a file",
        tag=_FILES,
        answer=FileObject,
        parameters=(_ID,),
        errors=(401, 404, 503),
    )
    yield route(
        "GET",
        "/v1/files/{file_id}/content",
        endpoints.content,
        summary="Download a file",
        tag=_FILES,
        parameters=(_ID,),
        errors=(401, 404, 503),
        content={"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    )
    yield route(
        "DELETE",
        "/v1/files/{file_id}",
        endpoints.delete,
        summary="Delete a file",
        tag=_FILES,
        answer=FileDeleted,
        parameters=(_ID,),
        errors=(401, 404, 503),
    )


def _filters() -> Iterator[dict[str, object]]:
    text = {"type": "string"}
    for name, description, schema in (
        ("limit", "Files on the page.", {"type": "integer", "minimum": 1, "maximum": 10_000}),
        ("after", "The `last_id` of the page before.", text),
        ("order", "By creation.", {"type": "string", "enum": ["asc", "desc"], "default": "desc"}),
        ("purpose", "Only files of this purpose.", text),
    ):
        yield {"name": name, "in": "query", "description": description, "schema": schema}
