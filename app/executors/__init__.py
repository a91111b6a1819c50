"""Where runs happen: one file a backend, behind one protocol (``app.executors.base``)."""
