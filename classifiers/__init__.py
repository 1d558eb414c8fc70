"""Training, evaluation and scoring of tag classifiers; reads annotations, writes model bundles."""
