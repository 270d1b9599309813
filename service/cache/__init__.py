"""Where streams are kept, behind one protocol."""
