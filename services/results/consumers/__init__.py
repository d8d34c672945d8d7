"""What comes in from the broker."""
