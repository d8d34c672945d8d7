"""Every route of the API with its description, a file for each group."""
