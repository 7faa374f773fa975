"""Tissue masks of slide thumbnails."""
