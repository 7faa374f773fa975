"""Plans of augmentation experiments: patients, folds, repeats, trainings and generators."""
