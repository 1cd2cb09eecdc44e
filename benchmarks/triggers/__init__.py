"""Triggers: small patterns that are stamped on inputs."""
