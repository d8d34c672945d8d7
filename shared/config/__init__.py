"""Settings: where they come from, which providers they name."""
