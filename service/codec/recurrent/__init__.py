"""Recurrent codecs: raw bits, iteration by iteration."""
