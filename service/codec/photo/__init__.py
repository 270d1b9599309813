"""The codec `photo`: one embedded stream for a picture of any size."""
