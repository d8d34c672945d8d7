"""How many connections a process may have open."""

import resource

MOST = 65_536
"""Enough for any process of the fleet; some systems allow a thousand million."""


def allow_many_connections() -> None:
    """Raise the soft limit of open files as far as the hard one permits.

    Shells and service managers start processes with 1,024, which a worker with its 1,024 slots, or ingress
    with as many callers, goes over: new connections then fail.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST if hard == resource.RLIM_INFINITY else min(hard, MOST)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
