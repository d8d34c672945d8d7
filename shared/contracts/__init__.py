"""The messages between services."""
