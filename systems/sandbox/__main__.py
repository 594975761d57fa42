"""`python -m systems.sandbox oms [PORT]`: one system of the sandbox company, over the database of DATABASE_URL."""

import os
import sys

from errors import BadInput
from systems.sandbox.serve import serve


def main(arguments: list[str]) -> int:
    """Serve; 2 with a sentence on stderr when something given is not as it must be."""
    system, port = [*arguments, "", ""][:2]
    try:
        url = os.environ.get("DATABASE_URL")
        if not url:
            raise BadInput("DATABASE_URL is not set; name the database of the sandbox company in it.")
        serve(system, url, "http" if port else "stdio", int(port) if port else None)
    except BadInput as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
