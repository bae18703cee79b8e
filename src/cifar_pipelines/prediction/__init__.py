"""`kedro predict`: a saved model on a folder of images that nobody has labelled."""
