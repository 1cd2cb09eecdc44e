"""Networks, and the files of weights that they start from."""
