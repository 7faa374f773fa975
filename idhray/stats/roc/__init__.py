"""Areas under ROC curves: estimates, intervals, curves and thresholds."""
