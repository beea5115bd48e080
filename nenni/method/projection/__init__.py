"""Projections P, one per file.

A projection is a frozen dataclass whose fields are its config; it derives from
:class:`nenni.method.projection_base.Drawn` and has

``rows(d)``
    the number of rows k for d inputs;
``sample(k, d, generator)``
    the matrix P itself, (k, d), drawn once and fixed;
``shared_taps``
    whether P acts on channels only, the same at every tap of a kernel;
``learned``
    whether ``learn(k, covariance)`` replaces the drawn matrix in the fit, from the inputs'
    covariance (d, d).
"""
