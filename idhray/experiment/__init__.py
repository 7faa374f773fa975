"""The augmentation experiment: arms, protocol and images of each training. No Ray, no torch."""
