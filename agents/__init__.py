"""What is decided: one thin Faust shell per stage over pure logic."""
