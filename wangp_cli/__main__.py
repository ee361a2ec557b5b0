"""`python -m wangp_cli`, the same as `wangp`."""

from wangp_cli.main import main

if __name__ == "__main__":
    main()
