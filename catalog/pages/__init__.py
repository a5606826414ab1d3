"""What people see of the catalogue: pages, each with its JSON at the same URL."""
