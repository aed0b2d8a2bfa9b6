"""From a log line's key to its shape: what it says without what varies, and where its values stand."""
