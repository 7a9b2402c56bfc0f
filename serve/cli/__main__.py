"""``python -m serve.cli``: the same as ``riverrun``."""

from serve.cli import main

if __name__ == "__main__":
    main()
