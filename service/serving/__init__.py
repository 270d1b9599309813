"""The process: what it is made of, how it starts, listens, drains and ends."""
