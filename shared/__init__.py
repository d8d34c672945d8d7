"""What the services share: contracts, ports and their adapters, the shape of a process."""

__version__ = "0.1.0"
"""The same as in ``pyproject.toml``; a test compares them."""
