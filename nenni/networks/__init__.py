"""Plain networks: architectures by name, and what is found out or changed about any network."""
