"""Images and coordinates in the formats of other tools, out and in; no Ray."""
