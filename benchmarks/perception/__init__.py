"""How different two images look, and the climbs that several attacks share."""
