"""Which models are here, and what is known of them without loading one."""
