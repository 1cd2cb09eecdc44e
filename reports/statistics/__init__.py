"""Statistics over seeds: intervals, paired tests between methods, tests of slopes."""
