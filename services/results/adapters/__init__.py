"""What goes out to PostgreSQL."""
