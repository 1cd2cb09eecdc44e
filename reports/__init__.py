"""Results to tables, statistics, figures and pages."""
