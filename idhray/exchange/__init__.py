"""Images and coordinates in the formats of other tools: written and read, without Ray."""
