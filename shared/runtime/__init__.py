"""What every process of the fleet does the same way: start, report its health, stop."""
