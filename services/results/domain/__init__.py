"""How the messages of a job change its record; no I/O."""
