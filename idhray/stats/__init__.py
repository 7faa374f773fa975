"""Statistics of predictions: diagnostic accuracy, ROC, age, the sweep over synthetic counts."""
