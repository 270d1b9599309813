"""The pictures that are evaluated."""
