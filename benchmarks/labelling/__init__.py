"""`bench label`: a page on this machine where a person states the class of samples."""
