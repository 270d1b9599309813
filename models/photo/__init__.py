"""The codec `photo`: tables learned from photos, and the networks around them."""
