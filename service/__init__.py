"""The command line and the HTTP service over annotations and classifiers."""
