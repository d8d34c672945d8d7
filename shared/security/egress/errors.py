"""What the guard says no with."""

from shared.errors import UnprocessableRequestError


class UrlNotAllowedError(UnprocessableRequestError):
    """The URL may not be called: its form, its port, or the address that it leads to.

    The text says nothing about what a name resolves to.
    """

    code = "url_not_allowed"
