"""What shoppers like to remember."""
