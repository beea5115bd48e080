"""Datasets, one per file: ``load(*, ...) -> nenni.data.dataset.PublishedData``."""
