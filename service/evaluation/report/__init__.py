"""Numbers as tables, plots and sheets."""
