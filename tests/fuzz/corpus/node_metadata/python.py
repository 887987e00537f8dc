#!/usr/bin/env python
# === OmniNode:Metadata ===
# name: 'a'
# entrypoint: {'type': 'python', 'target': 'x'}
# tags: [a, "b"]
# tools:
#   f: {type: function, line: 1.5}
# inputs:
# - name: x
#   required: true
# - y
# hash: "00"
# === /OmniNode:Metadata ===

import x
