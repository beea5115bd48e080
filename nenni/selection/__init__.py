"""Selections of the essential neurons, one per file.

A selection is a frozen dataclass whose fields are its config, with

``mask(score, generator)``
    boolean tensor of the shape of `score` (N, C, ...): True where a neuron is essential. One
    sample's mask never depends on another sample;
``nominal()``
    the fraction of essential neurons it aims at;
``randomised``
    whether two calls on the same score differ, in which case it draws from the generator.
"""
