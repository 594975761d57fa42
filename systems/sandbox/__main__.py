"""`python -m systems.sandbox`: see `systems.sandbox.serve`."""

from systems.sandbox.serve import main

if __name__ == "__main__":
    main()
