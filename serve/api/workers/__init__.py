"""Several API processes on one machine: one socket, one supervisor, metrics and limits shared."""
