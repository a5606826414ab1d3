"""The `mesh` command, one file a group of commands."""
