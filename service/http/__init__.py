"""HTTP: one router a resource, and what they share."""
