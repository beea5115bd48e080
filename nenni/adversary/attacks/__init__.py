"""Attacks, one per file: ``attack(model, inputs, labels, eps, generator, *, ...) -> images``.

Pure functions: the model's mode, its parameters and the global random state are left as they were.
Images are (N, C, H, W) in [0, 1], labels (N,) of int64, eps the radius in the same unit as the
images. The keyword `norm` names what eps bounds. Under L-inf the result lies exactly in
clamp(inputs - eps, 0, 1) .. clamp(inputs + eps, 0, 1), under L2 within eps (1 + 1e-6) of the
inputs. With `targeted`, labels are the classes to reach, otherwise those to leave. An attack on
injected networks alone annotates `model` as :data:`nenni.adversary.attack.Injected`. Attacks that
look for the smallest perturbation return the inputs where it is larger than eps; with eps
infinite, the perturbation itself.
"""
