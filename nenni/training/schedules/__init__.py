"""Learning rates, one per file: ``factor(step, steps, *, ...)`` on the recipe's ``lr``."""
