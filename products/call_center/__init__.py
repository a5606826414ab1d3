"""The call-center product: one row for each finished call, with its duration."""
