"""Facts of a study, each with the file and column that state it, for reporting checklists."""
