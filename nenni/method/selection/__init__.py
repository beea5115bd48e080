"""Selections of the essential neurons, one per file.

A selection is a frozen dataclass whose fields are its config; it derives from
:class:`nenni.method.selection_base.Deterministic`, which says no to the last three of

``mask(score, generator)``
    boolean tensor of the shape of `score` (N, C, ...): True where a neuron is essential. One
    sample's mask never depends on another sample; a NaN ranks below every number;
``margin(score, mask)``
    differentiable distance of each score from the border of the mask, positive within: what a soft
    mask is made of; None where the mask does not depend on the score;
``nominal()``
    the fraction of essential neurons it aims at;
``randomised``
    whether two calls on the same score differ, in which case it draws from the generator;
``judges_exact``
    whether the score is made from the exact z in place of z~;
``calibrated``
    whether scores come less the layer's threshold, which the fit sets so that the nominal
    fraction lies above it.
"""
