"""idhray: do GAN-made images help to predict IDH mutation? The studies, on Ray, at any scale."""

__version__ = "0.1.0"
