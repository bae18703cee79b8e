"""The experiment: pipelines under several settings, the best setting for the CNN, more images with it, comparison."""
