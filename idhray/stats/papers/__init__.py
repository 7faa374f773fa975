"""The tables of two papers: Liu 2020 and Park 2021."""
