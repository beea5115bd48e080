"""What only the workflow needs: the config, the plan, the stages."""
