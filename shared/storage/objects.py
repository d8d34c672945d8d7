"""The object store: how it is opened, and what its failures mean."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from obstore.exceptions import BaseError
from obstore.store import ObjectStore, from_url

from shared.config.settings import ObjectSettings
from shared.errors import ObjectStoreUnavailableError

CALL_TIMEOUT_S = 10.0
CONNECT_TIMEOUT_S = 2.0
RETRY_FOR_S = 3.0
"""No retry begins later than this after the first try."""


def open_objects(settings: ObjectSettings) -> ObjectStore:
    """Open the store that a URL names.

    The location and the credentials of S3, GCS and Azure come from their usual environment variables.

    Raises:
        ObjectStoreUnavailableError: The folder of a ``file:`` URL cannot be created.
    """
    with object_outages():
        return _open(settings.url.get_secret_value())


@contextmanager
def object_outages() -> Iterator[None]:
    """Turn what a store raises while it is away into ObjectStoreUnavailableError."""
    try:
        yield
    except (BaseError, OSError, TimeoutError) as error:
        raise ObjectStoreUnavailableError("The object store does not answer.") from error


def _open(url: str) -> ObjectStore:
    options: dict[str, Any]
    if url.startswith("file:"):
        options = {"mkdir": True, "automatic_cleanup": True}
    elif url.startswith("memory:"):
        options = {}
    else:
        options = {
            "client_options": {
                # Permits an http:// endpoint where the operator names one; options given here
                # replace those of the environment.
                "allow_http": True,
                "connect_timeout": timedelta(seconds=CONNECT_TIMEOUT_S),
                "timeout": timedelta(seconds=CALL_TIMEOUT_S),
            },
            "retry_config": {"max_retries": 3, "retry_timeout": timedelta(seconds=RETRY_FOR_S)},
        }
    return from_url(url, **options)
