"""Posts, codebook and human annotations: everything before a model is fitted."""
