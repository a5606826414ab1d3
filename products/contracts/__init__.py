"""The contracts product: contracts with their roles, and the relations over which sales decides."""
