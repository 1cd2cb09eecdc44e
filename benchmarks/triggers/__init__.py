"""Triggers: patterns that are stamped on inputs, and artificial biases made with them."""
