"""The functions of `idhray.stats.api`: arrays and tables of any program in, text and tables out."""
