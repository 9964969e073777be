"""The program, as `zeekpop3` and as `python -m zeekpop3`."""

from zeekpop3.cli.app import main

if __name__ == "__main__":
    main()
