"""What the services have in common; imports no service."""

__version__ = "0.1.0"
"""The same as in ``pyproject.toml``."""
