"""The program, as `zeekpop3` and as `python -m zeekpop3`."""

import gc


def main() -> None:
    """Load the command line and run it; the command says from when on garbage is collected."""
    gc.disable()  # all that loads stays: the collector would go through it again and again
    from zeekpop3.cli import main as run

    run()


if __name__ == "__main__":
    main()
