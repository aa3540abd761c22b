"""The folders that ``meltwatch record`` writes: what they say of themselves, and their records."""
