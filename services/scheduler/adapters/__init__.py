"""PostgreSQL, as the scheduler uses it."""
