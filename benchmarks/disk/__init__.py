"""Files and locks: what is written is whole or not there, and what is read is checked."""
