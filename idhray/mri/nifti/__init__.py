"""NIfTI files read as volumes."""
