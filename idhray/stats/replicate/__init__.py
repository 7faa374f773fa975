"""Both papers' tables recomputed: every printed cell beside what its own counts give."""
