"""Attacks, one per file: ``attack(model, inputs, labels, eps, generator, *, ...) -> images``.

Pure functions: the model's mode, its parameters and the global random state are left as they were.
Images are (N, C, H, W) in [0, 1], labels (N,) of int64, eps the L-inf radius in the same unit as
the images; the result is in clamp(inputs - eps, 0, 1) .. clamp(inputs + eps, 0, 1).
"""
