"""A diffusion model that learns by flow matching, in pixels."""
