"""Who may use the API: keys, tokens, browser sessions, roles and limits."""
