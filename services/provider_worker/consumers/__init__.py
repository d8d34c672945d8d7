"""What reaches a worker: jobs, cancellations, and jobs that are given up."""
