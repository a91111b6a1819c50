"""What can be done: one public method a use case. No HTTP and no SQL here."""
