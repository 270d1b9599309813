"""Data, losses, the loop."""
