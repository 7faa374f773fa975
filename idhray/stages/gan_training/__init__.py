"""Train a GAN on Ray: its task, the worker loop, callbacks and the fidelity meter."""
