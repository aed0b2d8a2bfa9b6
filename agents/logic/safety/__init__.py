"""What a command may do: parsed, never matched as text; unknown or destructive means blocked."""
