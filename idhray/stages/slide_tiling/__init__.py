"""Tiling of one slide in a Ray worker: its task, the tiles, and shards shared with others."""
