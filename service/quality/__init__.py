"""How much a picture is like its original; needs numpy alone while encoding."""
