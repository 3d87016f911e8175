"""Effects around the pure rules: normalize, the state process, the relay, the barrier."""
