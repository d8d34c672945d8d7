"""The checks of ``penstock doctor``; one file for each kind."""
