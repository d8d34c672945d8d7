"""The failure that every server of a process may have at its start."""


class ListenError(OSError):
    """An address is taken, not ours, or needs more rights; the text has the remedy."""
