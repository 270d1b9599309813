"""What runs in production."""
