"""What is left of a secret when it is shown: nothing. A URL keeps its scheme, user and host."""

import re

MASK = "********"

_URL_CREDENTIALS = re.compile(r"(?<=://)([^\s:/?#@]*):\S*@|(?<=://)[^\s:/?#@]+@")
_QUERY_SECRETS = re.compile(
    r"(?i)([?&;][^\s=&]*(?:password|passwd|secret|token|api_?key|signature)[^\s=&]*=)[^\s&#]+"
)


def mask_url(url: str) -> str:
    """Hide the password of a URL, and query values that are named like secrets.

    Everything up to the last ``@`` counts as the password, since an unescaped one may hold any
    character: rather too much is hidden than a part of it shown.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        return MASK
    credentials, at, host = rest.rpartition("@")
    user, colon, _ = credentials.partition(":")
    shown = f"{user if colon else ''}:{MASK}@" if at else ""
    return f"{scheme}://{shown}{mask_query(host)}"


def mask_query(text: str) -> str:
    """Hide the values of query parameters that are named like secrets."""
    return _QUERY_SECRETS.sub(rf"\1{MASK}", text)


def mask_text(text: str) -> str:
    """Hide the credentials of every URL in a text; cheap when there is none."""
    if "://" not in text:
        return text
    if "@" in text:
        text = _URL_CREDENTIALS.sub(lambda match: f"{match[1] or ''}:{MASK}@", text)
    return mask_query(text)
