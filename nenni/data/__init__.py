"""Images and labels: datasets by name, files, splits and batches."""
