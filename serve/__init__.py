"""HTTP and the command line: composes the line and answers from its latest model."""
