"""The program, as `zeekpop3` and as `python -m zeekpop3`."""

import gc


def main() -> None:
    """Run the command line. Garbage is not collected while modules are imported: that costs 0.1 s a start."""
    gc.disable()
    from zeekpop3.cli.app import main as run

    run()


if __name__ == "__main__":
    main()
