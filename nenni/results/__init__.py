"""From the tables of a run to its main table, claims and figures."""
