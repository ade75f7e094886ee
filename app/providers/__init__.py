"""Model servers: each adapter implements `core.ports.ModelServer` and none knows another."""
