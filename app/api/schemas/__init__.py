"""Marshmallow schemas, one file a resource: they check types, the services check rules."""
