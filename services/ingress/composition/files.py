"""Files, and batches of requests in files."""

from collections.abc import Iterator
from itertools import chain

from services.ingress.adapters.batch_rows import BatchRows
from services.ingress.adapters.file_rows import FileRows
from services.ingress.adapters.idempotency_keys import IdempotencyKeys
from services.ingress.adapters.uploads import Uploads
from services.ingress.api.batches import BatchEndpoints
from services.ingress.api.files import FileEndpoints
from services.ingress.api.idempotency import CreateOnce
from services.ingress.api.route import RawRoute
from services.ingress.api.routes.batches import batch_routes
from services.ingress.api.routes.files import file_routes
from services.ingress.composition.core import Core
from shared.storage.files import FileStore


def file_and_batch_routes(core: Core) -> Iterator[RawRoute]:
    """Build what speaks OpenAI's Batch API."""
    section = core.settings.ingress
    once = CreateOnce(core.database, IdempotencyKeys(core.database))
    rows, store = FileRows(core.database), FileStore(core.settings.objects)
    uploads = Uploads(
        store,
        rows,
        max_bytes=section.max_file_bytes,
        most=section.uploads,
        patience_s=section.body_timeout_s,
    )
    return chain(
        file_routes(FileEndpoints(rows=rows, uploads=uploads, store=store, settings=section)),
        batch_routes(BatchEndpoints(rows=BatchRows(core.database), once=once, settings=section)),
    )
