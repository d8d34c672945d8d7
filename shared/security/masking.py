"""What is left of a secret when it is shown: nothing. A URL keeps its scheme, user and host."""

import re

MASK = "********"

_URL_CREDENTIALS = re.compile(r"(?<=://)([^\s:/?#@]*):\S*@|(?<=://)[^\s:/?#@]+@")
_QUERY_SECRETS = re.compile(
    r"(?i)([?&;][^\s=&]*(?:password|passwd|secret|token|api_?key|signature)[^\s=&]*=)[^\s&#]+"
)

_KEYS = re.compile(r"\bsk-[\w*.-]{8,}")
"""Keys of Penstock, OpenAI, Anthropic and others; providers repeat parts of them with asterisks."""
_BEARER = re.compile(r"([Bb]earer )[\w.~+/=*-]{8,}")


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
    """Hide API keys, bearer tokens and the credentials of URLs in a text; cheap when there are none."""
    if "://" in text:
        if "@" in text:
            text = _URL_CREDENTIALS.sub(lambda match: f"{match[1] or ''}:{MASK}@", text)
        text = mask_query(text)
    if "sk-" in text:
        text = _KEYS.sub(MASK, text)
    if "earer " in text:
        text = _BEARER.sub(rf"\1{MASK}", text)
    return text
