"""Search for settings on inner validation patients: data, objective, search and result."""
