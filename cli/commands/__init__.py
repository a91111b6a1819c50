"""What ``maoctl`` can do: one file a noun, and in it one function a verb."""
