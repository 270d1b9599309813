"""The codec of photos by Mentzer et al. 2018, with an exact context model in place of theirs."""
