"""Device plans: instalments, and what became of them, as finance's leasing system writes them."""
