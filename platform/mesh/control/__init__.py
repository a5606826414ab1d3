"""The control plane: who may do what, what runs, and keeping it running."""
