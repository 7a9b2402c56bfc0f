"""The line beside what people use or write instead: ``python -m benchmarks.peers``."""
