"""What `pipeline check` warns of, a subject a file: what can be used, and is hardly meant."""
