"""Datasets, one per file: ``load(*, ...) -> nenni.source.Source``."""
