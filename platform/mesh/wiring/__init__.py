"""The processes of a mesh, each wired in one place that reads from top to bottom."""
