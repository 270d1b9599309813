"""Decoders in processes of their own, where what crashes or burns takes nothing else with it."""
