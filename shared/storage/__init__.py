"""PostgreSQL, its schema, and the store of large bodies."""
