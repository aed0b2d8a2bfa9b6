"""Pure measures of what the judges and the templates are worth."""
