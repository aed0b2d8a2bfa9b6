"""`python -m opspilot`: the same as the `opspilot` command."""

from opspilot.cli import main

if __name__ == "__main__":
    main()
