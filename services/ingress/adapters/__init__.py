"""Outbound: PostgreSQL, the broker, Redis."""
