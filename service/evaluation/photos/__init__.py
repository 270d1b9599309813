"""``prefixel evaluate --codec photo``: whole streams of photos beside today's formats."""
