"""MLflow: a view of the results."""
