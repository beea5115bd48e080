"""Datasets, one per file: ``load(*, ...) -> (images uint8 (N, C, H, W), labels int64 (N,))``."""
