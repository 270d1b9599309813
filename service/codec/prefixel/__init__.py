"""The embedded codec of thumbnails, transform to stream."""
