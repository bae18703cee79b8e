"""Every figure: of data, of one model, of a training, and of the comparison."""
