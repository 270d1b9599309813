"""The codec ``prefixel``: its tables, and the networks before and after its transform."""
