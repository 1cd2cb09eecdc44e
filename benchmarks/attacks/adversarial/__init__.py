"""Building blocks of attacks on a trained model: steps, projections, random starts."""
