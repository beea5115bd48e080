"""Selections of the essential neurons, one per file.

A selection is a frozen dataclass whose fields are its config; it derives from
:class:`nenni.method.selection_base.Selection` and has

``mask(score)``
    boolean tensor of the shape of `score` (N, C, ...): True where a neuron is essential. One
    sample's mask never depends on another sample; a NaN ranks below every number;
``margin(score, mask)``
    differentiable distance of each score from the border of the mask, positive within: what a soft
    mask is made of; None where the mask does not depend on the score;
``nominal()``
    the fraction of essential neurons it aims at.

Where they differ from the base's it declares ``judges``, ``randomised`` and ``calibrated``, and for
the cost model ``ranks``, ``comparisons(channels)``, ``additions(channels)``, ``tile()`` and
``n_of_m()``.
"""
