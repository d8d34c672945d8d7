"""The broker port, its implementations, and what consumes and settles."""
