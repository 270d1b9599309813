"""torch to ONNX, tables, manifest, parity."""
