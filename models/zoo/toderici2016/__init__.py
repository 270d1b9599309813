"""Toderici et al. 2016, Full Resolution Image Compression with Recurrent Neural Networks."""
