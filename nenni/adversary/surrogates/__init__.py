"""What an attack differentiates in place of an injected network, one per file.

``surrogate(model, *, ...) -> module`` gives a classifier of the same parameters for the attack
alone; its images are judged by the network itself. The module sets the path of the injected layers
for each of its passes and puts it back, so that the network is never left changed.
"""
