"""Brain extraction, and the gate that judges its masks."""
