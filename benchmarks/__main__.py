"""`python -m bench`: the command, without its script on the path."""

from bench.cli.main import main

if __name__ == "__main__":
    main()
