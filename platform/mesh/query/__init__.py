"""The query catalogue: queries that have a name, an owner and a contract of their result."""
