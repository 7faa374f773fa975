"""Reported results that cannot be right: each rule in a small file, all listed in `checks.py`."""
