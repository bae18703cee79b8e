"""Variants of a trained network that are smaller or faster: how each is made, loaded back, run and timed."""
