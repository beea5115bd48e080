"""What everything else stands on: errors, files, plugins, seeds, progress."""
