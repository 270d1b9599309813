"""What artifacts are made of and read from: weights, manifests, scores, where they lie."""
