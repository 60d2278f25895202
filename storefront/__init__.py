"""The kernel: stores, keys, money, pricing, errors, plugs and the rules that every request shares."""
