"""Plan, images, trials and rates of the experiment that `idhray sweep` runs."""
