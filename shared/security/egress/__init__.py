"""The egress guard: every request to a URL that a caller supplied goes through here.

A URL is read strictly (:meth:`EgressPolicy.check_url`, no I/O). A name is resolved once for a connection,
every address that it has must be allowed, and the connection goes to one of these addresses; its TLS name and
``Host`` stay the URL's. The socket itself is made by the policy, which refuses whatever else may come that
far. No redirect is followed, no proxy of the environment is used, no more is read than asked for.
"""

from shared.security.egress.errors import UrlNotAllowedError
from shared.security.egress.policy import EgressPolicy

__all__ = ["EgressPolicy", "UrlNotAllowedError"]
