"""Small files beside the sources: lists that decide of a code, bridges, communes and their territories."""
