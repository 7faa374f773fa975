"""Processing of one patient's MRI: volumes, registration, intensity, paired slices, quality."""
