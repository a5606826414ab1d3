"""The way out of a central warehouse: its nightly jobs as they are, run, read and replaced."""
