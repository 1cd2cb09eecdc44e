"""`bench label`: a page on this machine where a person names the class of samples."""
