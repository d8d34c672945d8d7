"""The simulator's HTTP surface."""
