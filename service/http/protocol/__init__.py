"""What all resources share of HTTP: routes, queries, bodies, problems, conditions and ranges."""
