"""What an offer does to a basket: frozen rules and lines in, effects out. Knows no Django, no clock and no rows."""
