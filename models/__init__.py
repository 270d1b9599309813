"""What trains and exports; never imported by the service."""
