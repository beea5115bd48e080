"""Attacks and what they share: balls, losses, gradients, surrogates, suites."""
