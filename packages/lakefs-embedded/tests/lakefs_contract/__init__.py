"""The contract suite: what a lakeFS server must do, through the official SDK, as its public API documents it.

It runs against the embedded server, and unchanged against the lakeFS that `LAKEFS_ENDPOINT` names (with
`LAKEFS_ACCESS_KEY_ID`, `LAKEFS_SECRET_ACCESS_KEY`, and `LAKEFS_CONTRACT_NAMESPACE` for where its repositories
may keep their data, `local://contract` unless told). What only the embedded server does is tested in
`lakefs_embedded_tests/`.
"""
