"""The paper's method: the choices, the injected layers, their fit, and the file of a network."""
