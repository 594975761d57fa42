"""`python -m systems.sandbox oms [PORT]`: one system of the sandbox company, over the database of DATABASE_URL."""

import os
import sys

from errors import BadInput
from systems.sandbox.serve import serve

if __name__ == "__main__":
    system, port = [*sys.argv[1:], "", ""][:2]
    try:
        url = os.environ.get("DATABASE_URL")
        if not url:
            raise BadInput("DATABASE_URL is not set; name the database of the sandbox company in it.")
        serve(system, url, "http" if port else "stdio", int(port) if port else None)
    except BadInput as error:
        print(error, file=sys.stderr)
        sys.exit(2)
