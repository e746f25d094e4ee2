"""An approach is a router plus models: the router names the model that segments each slice."""
