"""Training: the run and its folder (`run`, `record`), the loop of an epoch (`loop`), and the parts they use."""
