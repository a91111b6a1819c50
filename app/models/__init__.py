"""What things are: rows in PostgreSQL and entries in etcd."""
