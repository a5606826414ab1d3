"""The product reports: the warehouse's reports under their names, from it or from the mesh."""
