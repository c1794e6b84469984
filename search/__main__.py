"""``python -m search`` is ``thawline``."""

import sys

from search.cli import main

sys.exit(main())
