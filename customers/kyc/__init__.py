"""Documents by which customers prove who they are: what is asked, what was given, and what came of it."""
