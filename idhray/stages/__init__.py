"""One file per stage of the study; the only folder that imports ray."""
