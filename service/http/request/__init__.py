"""What surrounds one request: its context, admission, deadline, timing, client."""
