"""The networks around an embedded codec: an analysis before the transform, a synthesis after it."""
