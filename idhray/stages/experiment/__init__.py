"""What `idhray sweep` is made of: plan, images, trials and rates of an experiment."""
