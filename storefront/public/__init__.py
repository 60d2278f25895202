"""What a shop shows to everybody who holds its key: the places that it serves and how it presents itself."""
