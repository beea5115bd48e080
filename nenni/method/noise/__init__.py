"""Noises, what the non-essential neurons get, one per file.

A noise is a frozen dataclass whose fields are its config; most derive from
:class:`nenni.method.noise_base.Single`. It has

``value(z, z_tilde, deviation, generator)``
    tensor of the shape of z (N, C, ...): what stands in for z on the non-essential neurons;
    `deviation` is that of z~ - z in the layer, as the fit measured it;
``approximations()``
    how many approximations (P, W~, b~) of each layer there are; each forward pass draws one;
``randomised``
    whether two calls differ, in which case it draws from the generator.
"""
