"""What the worker knows without any I/O: calls, answers, usage, prices, streams put together."""
