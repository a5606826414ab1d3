"""How a product is read: doors made from its contract."""
