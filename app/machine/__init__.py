"""The whole product on one machine: what stands behind ``mao up``, ``mao down`` and ``mao demo``."""
