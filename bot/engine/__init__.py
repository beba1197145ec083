"""What wakes us: jobs that say "look at these rows". The rows decide what happens."""
