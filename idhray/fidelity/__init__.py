"""How far generated images are from real ones, and whether they are copies of them."""
