"""What is due and what is done about it; no I/O."""
