"""How large a latent? The study behind docs/latent_size.md: `python -m benchmarks.study --help`."""
