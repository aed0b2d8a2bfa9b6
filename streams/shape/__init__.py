"""From a line's key to its shape: what it says without what varies, and where values stand."""
