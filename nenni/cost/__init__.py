"""What a network computes: its description for the cost model, counts, and times on the clock."""
