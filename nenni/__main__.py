"""``python -m nenni``: see :mod:`nenni.cli.main`."""

import sys

from nenni.cli import fork_server

status = fork_server.serve_me(sys.argv[1:])
if status is None:
    from nenni.cli.main import main

    status = main()
sys.exit(status)
