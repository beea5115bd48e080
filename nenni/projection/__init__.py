"""Random projections P, one per file.

A projection is a frozen dataclass whose fields are its config, with

``shared_taps``
    whether P acts on channels only, the same at every tap of a kernel;
``rows(d)``
    the number of rows k for d inputs;
``sample(k, d, generator)``
    the matrix P itself, (k, d), drawn once and fixed.
"""
