"""Defences that a file of a network can hold, one file each; see :mod:`nenni.method.defence`."""
