"""Django's database backends, without the log of every statement that DEBUG would keep."""
