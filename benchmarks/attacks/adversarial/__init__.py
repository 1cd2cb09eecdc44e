"""Building blocks of attacks on a trained model: steps, restarts, keeping the best image."""
