"""Entropy coding that every codec shares."""
