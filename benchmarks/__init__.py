"""What the product costs: measured beside the bare container engine, printed, never asserted."""
