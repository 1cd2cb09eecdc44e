"""What comes from outside: files, JSON and YAML read within bounds, words made safe to show."""
