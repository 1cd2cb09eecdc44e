"""Suite files (*.yaml), and how they are read."""
