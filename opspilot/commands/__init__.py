"""One module per command, each with `app`, a typer application; imported only when it is called."""
