"""`python -m zeekpop3` is `zeekpop3`."""

from zeekpop3.cli import main

if __name__ == "__main__":
    main()
