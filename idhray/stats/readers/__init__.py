"""Agreement of readers, and the visual Turing test."""
