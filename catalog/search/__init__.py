"""Product search: the filter language, an index of what is listed, and the engines behind the `SEARCH` plug."""
