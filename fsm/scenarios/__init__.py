"""Scenario files: UDP in model time, written down with what is expected. Read, run, told where they fail, written."""
