"""The routes of the HTTP service, one module an area."""
