"""What a network's accuracy under attack is, and whether it can be believed."""
