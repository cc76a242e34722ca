"""The main job: `python -m nn.demo` trains a network on real data and says how well it does."""
