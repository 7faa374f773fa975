"""Direct reading of the compressed blocks of tiled TIFF files."""
