"""`python -m fsm` is the command `wfp-udp`."""

from fsm.cli import main

if __name__ == "__main__":
    main()
