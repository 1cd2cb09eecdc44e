"""The methods at the centre of the suite, one file each."""
