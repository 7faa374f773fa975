"""Parts that `study` and `report` assemble for each modality."""
