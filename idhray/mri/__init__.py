"""Work on one patient's MRI: volumes, registration, intensity, paired slices, quality."""
