"""Network architectures, one per file: ``build(input_shape, n_classes, *, ...) -> Module``.

Networks take images (N, C, H, W) in [0, 1]; a normalisation, where there is one, is inside.
"""
