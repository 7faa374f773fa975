"""Run work on Ray: mapping over inputs, training workers, output folders, progress and stopping."""
