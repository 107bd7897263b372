"""Rules about images and labels that every source of data shares."""
