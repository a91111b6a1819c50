"""Where data lives: PostgreSQL, etcd and git."""
