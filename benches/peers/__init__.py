"""The same calls as other libraries inject them: one file a library, each with the same four names."""
