"""Arms of an augmentation experiment compared: contrasts, decision, sentence, baselines, strata."""
