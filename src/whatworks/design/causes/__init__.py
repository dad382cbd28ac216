"""What is held to cause what, and what a comparison must therefore hold."""
