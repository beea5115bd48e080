"""Projections P, one per file.

A projection is a frozen dataclass whose fields are its config; it derives from
:class:`nenni.method.projection_base.Drawn` and has

``rows(d)``
    the number of rows k for d inputs;
``sample(k, d, generator)``
    the matrix P itself, (k, d), drawn once and fixed.

Where they differ from the base's it declares ``shared_taps`` (P acts on channels only, the same at
every tap of a kernel), and for the cost model ``real`` and ``nonzero_bits(rows, columns)``. One
that also derives from :class:`nenni.method.projection_base.LearnedProjection` has
``learn(k, covariance)``, whose result replaces the drawn matrix in the fit.
"""
