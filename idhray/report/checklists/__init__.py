"""Reporting guidelines as lists of elements, and their filled drafts."""
