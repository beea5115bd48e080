"""Noises, what the non-essential neurons get, one per file.

A noise is a frozen dataclass whose fields are its config; it derives from
:class:`nenni.method.noise_base.Noise` and has

``value(z, z_tilde, deviation)``
    tensor of the shape of z (N, C, ...): what stands in for z on the non-essential neurons;
    `deviation` is that of z~ - z in the layer, as the fit measured it.

Where they differ from the base's it declares ``uses`` (what the value is made from), ``randomised``
(two calls differ: it draws from torch's global state, as dropout does) and ``approximations()``,
how many (P, W~, b~) each layer has, of which each forward pass draws one.
"""
