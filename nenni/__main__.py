"""``python -m nenni``: see :mod:`nenni.cli`."""

import sys

from nenni.cli import main

sys.exit(main())
