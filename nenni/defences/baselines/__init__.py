"""Baseline defences, one file each: a frozen dataclass that puts its layers into a network.

See :class:`nenni.method.baseline.Baseline`.
"""
