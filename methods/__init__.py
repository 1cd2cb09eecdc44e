"""The methods that the suite was built for, one file each."""
