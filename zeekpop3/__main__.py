"""The program, as `zeekpop3` and as `python -m zeekpop3`."""

import sys

try:
    from zeekpop3.cli.app import main
except KeyboardInterrupt:
    sys.exit("zeekpop3: interrupted")

if __name__ == "__main__":
    main()
