"""Cards: what is known of one network's robustness and cost, in a form that two compare by."""
