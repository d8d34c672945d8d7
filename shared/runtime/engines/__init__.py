"""Real servers from Python wheels, private to a data folder: PostgreSQL and Valkey."""
