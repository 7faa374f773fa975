"""Search spaces by name, one for each classifier, and the settings that no search may change."""

PIXELS = "decides the images or the first weights, not the training; fix it in the settings"
SET_BY_PROTOCOL = "belongs to the protocol, which is the same for every arm; fix it there"
FIXED = {
    **dict.fromkeys(
        ("channels", "image_px", "clahe_clip_limit", "clahe_tiles", "gamma", "weights"), PIXELS
    ),
    **dict.fromkeys(
        ("budget", "counts", "ratios", "repeats", "fold_count", "train_per_class"), SET_BY_PROTOCOL
    ),
}
"""Setting -> reason."""
SPACES = {
    "network": """
[learning_rate]
log_uniform = [1e-6, 1e-2]
[lr_decay]
log_uniform = [1e-7, 1e-3]
[dropout]
uniform = [0.0, 0.7]
[online]
choice = ["none", "classical"]
""",
    "frozen": """
[penalty]
log_uniform = [1e-1, 1e5]
""",
    "mean-pool": """
[penalty]
log_uniform = [1e-1, 1e5]
""",
    "abmil": """
[learning_rate]
log_uniform = [1e-5, 1e-2]
[weight_decay]
log_uniform = [1e-6, 1e-1]
[dropout]
uniform = [0.0, 0.7]
[attention]
choice = [32, 64, 128, 256]
[embedding]
choice = [64, 128, 256, 512]
[slots]
choice = [16, 32, 64, 128]
""",
}
"""Classifier -> search space, as TOML."""
