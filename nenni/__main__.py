"""``python -m nenni``: see :mod:`nenni.cli.main`."""

import sys

from nenni.cli.main import main

sys.exit(main())
