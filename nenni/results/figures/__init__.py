"""Figures, one per file: ``figure(table, ..., *, style...) -> matplotlib Figure``.

The positional parameters name the run's tables that a figure draws; ``tables`` stands for the
config of the main table. The keyword-only parameters are its style.
"""
