"""One paper's system a file."""
