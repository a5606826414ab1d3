"""The self-serve platform of the reference data mesh."""
