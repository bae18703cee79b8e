"""The pipelines, from images to the comparison: one folder each, and what those that train models share."""
