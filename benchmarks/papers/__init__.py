"""Both papers recomputed from what they print, cell by cell (`replicate.py`).

The typed tables are `published/*.csv`, the committed output is `results/*.txt` and `*.csv`.

park2021_*.csv: Park JE, Eun D, Kim HS, Lee DH, Jang RW, Kim N. Generative adversarial network for
glioblastoma ensures morphologic variations and improves diagnostic model for isocitrate
dehydrogenase mutant type. Scientific Reports 11 (2021), doi:10.1038/s41598-021-89477-w

liu2020_*.csv: Liu S, Shah Z, Sav A, Russo C, Berkovsky S, Qian Y, Coiera E, Di Ieva A. Isocitrate
dehydrogenase (IDH) status prediction in histopathology images of gliomas using deep learning.
Scientific Reports 10:7733 (2020), doi:10.1038/s41598-020-64588-y

Both are published under CC BY 4.0 (https://creativecommons.org/licenses/by/4.0/). Changed: tables
are cut into one row per claim, and dashes and spaces are made plain.

Every value is the printed text, so "0.10" keeps its digits; an empty cell is not printed. `counts`
holds the levels separated by ";" and within each the groups by "/", wildtype first (for P+ real
before synthetic mutants). Rows of one `group` belong together. Not printed but implied: `n_mutant`
and `n_wildtype` of Liu's tables 1 to 3 (the only split of 34 that fits all of their percentages),
`synthetic` (the "+1 K" of their row as a number), and the `counts` of Park's table 2 (from table 1,
by the contrast that the row names). The accuracies of Park's table 3 are printed in the text.
"""
