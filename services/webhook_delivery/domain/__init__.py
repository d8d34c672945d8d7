"""Rules of delivery; no I/O."""
