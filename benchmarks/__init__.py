"""What is asked of methods, and how it is judged."""

__version__ = "0.1.0"
