"""Load against a running service: closed and open loops, beside Pillow under the same server."""

ROUTES = ("upload", "thumb.pxl", "thumb.webp", "thumbs", "encode", "decode")
"""What is measured; ``service.bench.routes`` says what each of them asks."""
