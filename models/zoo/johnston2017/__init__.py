"""Johnston et al. 2017, Improved Lossy Image Compression with Priming and Spatially Adaptive Bit
Rates for Recurrent Networks."""
