"""What chance could have drawn instead, where shares were drawn between markets and persons within."""
