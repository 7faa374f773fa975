"""Brain extraction, and the gate that checks its masks."""
