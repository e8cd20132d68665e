"""Run `milvus-l7` as `python -m milvus_l7_cli`."""

from __future__ import annotations

from milvus_l7_cli.main import main

if __name__ == "__main__":
    main()
