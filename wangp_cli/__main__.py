"""Entry point of `wangp` and of `python -m wangp_cli`."""

import os
import signal
from typing import NoReturn


def main() -> NoReturn:
    """Import the command line and run it; Ctrl-C during the import ends the process without a traceback."""
    asked = signal.getsignal(signal.SIGINT)
    if asked is signal.default_int_handler:
        signal.signal(signal.SIGINT, lambda *_: os._exit(130))
    from wangp_cli.main import main as run

    signal.signal(signal.SIGINT, asked)
    run()


if __name__ == "__main__":
    main()
