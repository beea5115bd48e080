"""An injected network for inference: products of bytes, and tiles that are skipped."""
