"""Ways to train, one per file: a dataclass with ``perturb`` and ``loss``.

See :class:`nenni.training.objective.Objective`.
"""
