"""Networks: sessions and batches."""
