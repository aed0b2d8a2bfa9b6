"""What the commands of `opspilot eval` measure, and how it is shown."""
