"""Bank accounts: those that money is sent back to, and those that a provider opened for what a customer pays."""
