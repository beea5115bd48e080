"""The stages of the workflow, one thin file each: read files, call the library, write files."""
