"""From a suite to results: plan, sweep, trials, engines."""
