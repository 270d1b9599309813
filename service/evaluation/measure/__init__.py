"""What a codec does to pictures, as numbers."""
