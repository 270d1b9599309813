"""One module a resource: its handlers, and what the OpenAPI document says of them."""
