"""Rules of the API: what a request must be, which lane it takes, what an answer looks like. No I/O."""
