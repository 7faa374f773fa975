"""Work on one slide: open it, find tissue, cut tiles and patches."""
