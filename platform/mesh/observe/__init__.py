"""The observation plane: what runs, how far it is, how fresh."""
