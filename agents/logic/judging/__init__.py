"""The baseline judge: category, severity and confidence from the wording of lines."""
