"""`python -m bench`."""

from bench.cli import run

if __name__ == "__main__":
    run()
