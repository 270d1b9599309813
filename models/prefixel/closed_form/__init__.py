"""Codecs learned without gradients: transforms and tables from statistics of the photos."""
