"""A page of a run: one HTML file with what it asked, found and cost."""
