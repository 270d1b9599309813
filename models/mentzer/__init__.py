"""Training of the codec of Mentzer et al. 2018: its runs, by time, on one device."""
