"""URLs that a caller names for us to call."""

from shared.security.egress import EgressPolicy, UrlNotAllowedError


def read_callable_url(egress: EgressPolicy, text: str, param: str) -> str:
    """Return a URL in its normal form, if its shape and literal address allow that it is called.

    What its name stands for is checked at each call.

    Raises:
        UrlNotAllowedError: It may not be called; with ``param`` as the field at fault.
    """
    try:
        return egress.check_url(text)
    except UrlNotAllowedError as error:
        error.param = param
        raise
