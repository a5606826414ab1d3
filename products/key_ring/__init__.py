"""The key ring: which identifier belongs to which, when, who says so, and since when we know."""
