"""Work that several resources ask for: selecting, painting, opening, describing."""
