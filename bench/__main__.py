"""Every benchmark of this project, one after the other: `python -m bench [--lines FILE...]`."""

from bench import ingest

if __name__ == "__main__":
    ingest.main()
