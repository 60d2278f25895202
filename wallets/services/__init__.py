"""Every write to wallets: `ledger` is the one mechanism; `loyalty`, `credit` and `gift_cards` are its three uses."""
