"""The staff side: signing in with a second factor, how long a sign-in lasts, the dashboard."""
