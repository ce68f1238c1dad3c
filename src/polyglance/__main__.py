"""``python -m polyglance``."""

from polyglance.cli.main import main

main()
