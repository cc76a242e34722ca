"""What makes the documentation: `generate` is the hook of mkdocs, the rest its rooms."""
