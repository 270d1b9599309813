"""Mentzer et al. 2018, Conditional Probability Models for Deep Image Compression."""
