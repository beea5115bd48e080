"""Training: the loop, recipes, objectives, schedules, several processes."""
