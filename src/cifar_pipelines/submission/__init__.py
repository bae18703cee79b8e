"""Runs on a cluster that is there already: submitted by a run name, found by it, bundled to be handed in."""
